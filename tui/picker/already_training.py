"""Asked before a run is started while another one trains: attach to it, or start beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from trainconsole.engine.transport.registry import Live
from trainconsole.tui import theme
from trainconsole.tui.dialogs.base import Dialog
from trainconsole.tui.picker.entries import Choice, Open, Start
from trainconsole.tui.state.run_list import moment
from trainconsole.tui.text.format import harmless

BESIDE = "beside"
SHARED = "Side by side they share this machine: each trains slower, and learns what it would learn alone."


class BesideScreen(Dialog[Choice | None]):
    """Dismissed with what to do about `preset`, None to go back to the picker. `live` is not empty."""

    KEYS = (("enter", "choose"), ("esc", "cancel"))
    DEFAULT_CSS = """
    BesideScreen {
        & > #box { width: 76; }
        #why { height: auto; margin-bottom: 1; color: $text-muted; }
        #said { display: none; }
        #keys { margin-top: 1; }
    }
    BesideScreen.-tiny {
        #why { display: none; }
    }
    """

    def __init__(self, preset: str, live: Sequence[Live]) -> None:
        count = len(live)
        super().__init__(
            "another run is still training" if count == 1 else f"{count} runs are still training", None
        )
        self._preset = preset
        self._live = live

    def body(self) -> Iterator[Widget]:
        yield Static(SHARED, id="why")
        yield OptionList(*self._options())

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_id == BESIDE:
            self.dismiss(Start(self._preset))
        else:
            self.dismiss(Open(Path(event.option_id)) if event.option_id else None)

    def action_confirm(self) -> None:
        self.query_one(OptionList).action_select()

    def _options(self) -> list[Option]:
        attach = [
            Option(_said("attach to", harmless(entry.path.name), f"since {moment(entry.since)}"), entry.run)
            for entry in reversed(self._live)
        ]
        note = "beside it" if len(self._live) == 1 else "beside them"
        return [*attach, Option(_said("start", self._preset, note), BESIDE), Option("cancel")]


def _said(verb: str, name: str, note: str) -> Content:
    return Content.assemble(f"{verb} ", name, (f"  {note}", theme.MUTED))
