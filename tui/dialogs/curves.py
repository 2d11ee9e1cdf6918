"""Which curves are shown: a list to choose from, and a field that filters it."""

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from trainconsole.engine.protocol.status import Status
from trainconsole.tui import theme
from trainconsole.tui.dialogs.base import Dialog
from trainconsole.tui.forms.form import Entry
from trainconsole.tui.plotting.curves import MOST
from trainconsole.tui.state.own_numbers import is_own
from trainconsole.tui.text.cells import cut

WIDE = 54
ABOVE = 7
"""Lines that border, field and keys take."""
ORIGIN = 10
"""Cells of where a number comes from."""
PAGE = 10


class Filter(Entry):
    """A blank is no part of it: space is a key of the dialog."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return key != "space" and super().check_consume_key(key, character)


class CurvesScreen(Dialog[None]):
    """`listed` names the curves that there are, `shown` those on the screen; `choose` is told of each change,
    () for the usual ones. Its own answer is nothing."""

    KEYS: ClassVar = (("↑ ↓", "move"), ("enter, space", "show or hide"), ("esc", "close"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "enter", "show or hide", show=False, priority=True),
        *(
            Binding(key, f"move({by})", "move", show=False, priority=True)
            for key, by in (("up", -1), ("down", 1), ("pageup", -PAGE), ("pagedown", PAGE))
        ),
    ]
    DEFAULT_CSS = """
    CurvesScreen {
        & > #box { width: 58; }
        OptionList > .option-list--option-highlighted {
            background: $primary 35%;
            text-style: bold;
            &:nocolor { text-style: reverse; }
        }
        #said { margin: 0; }
    }
    """

    def __init__(
        self,
        listed: Callable[[], Mapping[str, str]],
        shown: Callable[[], tuple[str, ...]],
        choose: Callable[[tuple[str, ...]], None],
    ) -> None:
        super().__init__("which curves", None)
        self._listed, self._shown, self._choose = listed, shown, choose
        self._names: Mapping[str, str] = {}
        self._found: list[str] = []

    def body(self) -> Iterator[Widget]:
        options = OptionList()
        options.can_focus = False
        yield Filter(placeholder="type to filter")
        yield options

    def on_mount(self) -> None:
        self.query_one(Entry).focus()
        self._list()
        self._hint()

    def follow(self, status: Status) -> None:
        """A name may be new."""
        if self._listed() != self._names:
            self._list()

    def on_resize(self) -> None:
        self._list()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._list()
        self._hint()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_confirm()

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if self._found:
            at = (options.highlighted or 0) + by
            options.highlighted = min(max(at, 0), len(self._found) - 1)

    def action_confirm(self) -> None:
        """Show the curve that is highlighted, or hide it; the dialog stays open."""
        at, shown = self.query_one(OptionList).highlighted, self._shown()
        if at is None or at >= len(self._found):
            return
        name = self._found[at]
        if name not in shown and len(shown) >= MOST:
            self.app.bell()
            self.say(f"{MOST} are shown: hide one first", wrong=True)
            return
        self._choose(tuple(other for other in shown if other != name) if name in shown else (*shown, name))
        self._list()
        self._hint()

    def _hint(self) -> None:
        if not self._found:
            self.say("no curve has this in its name")
        else:
            self.say(
                f"{len(self._shown())} of {len(self._names)} shown, {MOST} at most; none: the usual ones"
            )

    def _list(self) -> None:
        """What the filter lets through; the highlight stays on its curve."""
        options, words = self.query_one(OptionList), self.query_one(Entry).value.lower().split()
        at = options.highlighted
        before = self._found[at] if at is not None and at < len(self._found) else ""
        self._names, shown = self._listed(), self._shown()
        self._found = [
            key for key, name in self._names.items() if all(word in name.lower() for word in words)
        ]
        options.clear_options()
        width = max(min(WIDE, self.size.width - 4) - 4 - ORIGIN, 4)
        options.add_options(
            Option(_prompt(key, self._names[key], key in shown, width)) for key in self._found
        )
        options.styles.height = max(1, min(len(self._names), self.size.height - ABOVE))
        if self._found:
            options.highlighted = self._found.index(before) if before in self._found else 0


def _prompt(key: str, name: str, shown: bool, width: int) -> Content:
    origin = "logged" if is_own(key) else "built in"
    return Content.assemble(
        ("✓ " if shown else "  ", "bold $primary"), cut(name, width), (f"{origin:>{ORIGIN}}", theme.HELP)
    )
