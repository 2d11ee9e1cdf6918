"""The pane beside the picker's list: one preset or one run in full."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from trainconsole import presets
from trainconsole.tui import theme
from trainconsole.tui.picker.entries import Entry
from trainconsole.tui.picker.toml_highlight import toml
from trainconsole.tui.text.format import harmless

if TYPE_CHECKING:
    from trainconsole.tui.picker.recent_runs import Seen

DESCRIPTION = 'description = "'


@dataclass(frozen=True)
class Told:
    """What the pane beside the list says of one entry."""

    title: str
    above: Content
    config: str
    hint: str = ""


class Details(VerticalScroll, can_focus=False):
    """One entry in full: words, then its TOML, wrapped anew at every width."""

    DEFAULT_CSS = """
    Details {
        border: round $border;
        border-title-color: $primary;
        border-title-style: bold;
        border-subtitle-color: $warning;
        padding: 0 1;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        scrollbar-color: $border;
        scrollbar-color-hover: $border;
        scrollbar-color-active: $primary;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
        & > Static { height: auto; }
        & > #above { margin-bottom: 1; }
    }
    """

    told: Told | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="above")
        yield Static(id="toml")

    def show(self, told: Told | None) -> None:
        if told == self.told:
            return
        self.told = told
        self.scroll_home(animate=False)
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        told = self.told
        self.border_title = Content(told.title) if told else ""
        self.border_subtitle = Content(told.hint) if told else ""
        self.query_one("#above", Static).update(told.above if told else "")
        room = self.scrollable_content_region.width
        self.query_one("#toml", Static).update(toml(told.config, room) if told else "")


def of_preset(entry: Entry) -> Told:
    """What it shows, and its TOML."""
    return Told(
        title=entry.key,
        above=Content(entry.below),
        config=_without_description(presets.text(entry.key)),
        hint="downloads its data on first use" if entry.cells[-1] else "",
    )


def of_run(seen: "Seen") -> Told:
    """How far it came and where it is, and the config that it started with."""
    from trainconsole.tui.picker.recent_runs import config_text, facts

    pairs = facts(seen)
    room = max(len(name) for name, _ in pairs) + 2
    return Told(
        title=harmless(seen.row.name),
        above=Content("\n").join(
            [Content.assemble((f"{name:<{room}}", theme.MUTED), value) for name, value in pairs]
        ),
        config=_without_description(config_text(seen)),
    )


def _without_description(config: str) -> str:
    """It stands above already."""
    first, _, rest = config.partition("\n")
    return rest if first.startswith(DESCRIPTION) else config
