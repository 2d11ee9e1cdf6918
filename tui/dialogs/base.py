"""What all dialogs have: a box over curves that go on, a title, one line for what is wrong, one for keys."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.commands import Command
from trainconsole.engine.protocol.grammar import parse
from trainconsole.engine.protocol.status import Status
from trainconsole.tui.dialogs.leave_once import Once
from trainconsole.tui.text.format import harmless

Result = TypeVar("Result")

ACROSS = [(0, "-slim"), (60, "-narrow"), (100, "-wide")]
DOWN = [(0, "-tiny"), (12, "-short"), (22, "-low"), (30, "-tall")]
"""The class that a dialog has from so many columns or rows on."""
CONFIRM = (("enter", "confirm"), ("tab", "next field"), ("esc", "cancel"))


@dataclass(frozen=True)
class Verdict:
    """What is entered now: the commands that it amounts to, or a problem, and the field that it is about."""

    commands: tuple[str, ...] = ()
    problem: str = ""
    field: str = ""
    parsed: Command | None = None


class Dialog(Once[Result], ModalScreen[Result], Generic[Result]):
    """Escape dismisses it with `cancelled`; the screen beneath shows through and goes on being drawn."""

    KEYS: ClassVar[Sequence[tuple[str, str]]] = CONFIRM
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False, priority=True),
        Binding("enter", "enter", "confirm", show=False, priority=True),
        Binding("up", "app.focus_previous", "field above", show=False),
        Binding("down", "app.focus_next", "field below", show=False),
    ]
    DEFAULT_CSS = """
    Dialog {
        background: transparent;
        align: center middle;
        overflow: hidden;
        & > #box {
            width: 64;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            border: round $primary;
            border-title-color: $primary;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
            background: $surface;
            padding: 0 1;
            overflow: hidden auto;
            scrollbar-size-vertical: 1;
        }
        #said, #keys { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #foot { height: auto; dock: bottom; background: $surface; }
        #said { color: $text-muted; margin-top: 1; }
        #said.-wrong { color: $error; }
        #keys { color: $text-muted; }
        OptionList {
            height: auto;
            max-height: 100%;
            border: none;
            padding: 0;
            background: $surface;
            scrollbar-size-vertical: 1;
            text-wrap: nowrap;
            &:focus { border: none; background-tint: transparent; }
            & > .option-list--option { padding: 0 1; }
            & > .option-list--option-highlighted { background: $primary 15%; color: $foreground; }
            &:focus > .option-list--option-highlighted { background: $primary 35%; text-style: bold; }
            &:nocolor > .option-list--option-highlighted { text-style: underline; }
            &:nocolor:focus > .option-list--option-highlighted { text-style: reverse; }
        }
    }
    Dialog.-tiny {
        & > #box { border: none; height: 100%; }
        #said { margin: 0; }
        #keys { display: none; }
    }
    Dialog.-short #said, Dialog.-low #said { margin: 0; }
    """

    def __init__(self, title: str, cancelled: Result) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = ACROSS
        self.VERTICAL_BREAKPOINTS = DOWN
        self.heading = title
        self._said: tuple[str, bool] | None = None
        self._cancelled = cancelled

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content(self.heading)
            yield from self.body()
            yield Vertical(Static(id="said"), Static(keys_line(self.KEYS), id="keys"), id="foot")

    def body(self) -> Iterator[Widget]:
        """The widgets between the title and the line of errors."""
        raise NotImplementedError

    def keep_up(self, status: Status) -> None:
        """`follow` the status once the widgets are there, unless the dialog was left by then."""
        self.call_later(self._keep_up, status)

    def _keep_up(self, status: Status) -> None:
        if not self.left:
            self.follow(status)

    def follow(self, status: Status) -> None:
        """A new status has come while the dialog is open."""

    def say(self, text: str, *, wrong: bool = False) -> None:
        """Show `text` in the line for errors and hints; what stands there already is not sent again."""
        if (text, wrong) == self._said:
            return
        self._said = text, wrong
        line = self.query_one("#said", Static)
        line.set_class(wrong, "-wrong")
        line.update(Content(harmless(text)))

    def action_cancel(self) -> None:
        self.dismiss(self._cancelled)

    def action_enter(self) -> None:
        """Confirm, after the keys that came before: those wait in the queue of what has the focus."""
        (self.focused or self).call_later(self.action_confirm)

    def action_confirm(self) -> None:
        raise NotImplementedError


class Answer(Dialog[tuple[str, ...]]):
    """A dialog that is dismissed with commands, () where it is cancelled."""

    def __init__(self, title: str) -> None:
        super().__init__(title, ())

    def verdict(self) -> Verdict:
        """What is entered now."""
        raise NotImplementedError

    def action_confirm(self) -> None:
        """Refused while something is wrong."""
        verdict = self.verdict()
        if verdict.problem:
            self.app.bell()
            self.refuse(verdict)
        else:
            self.dismiss(verdict.commands)

    def refuse(self, verdict: Verdict) -> None:
        """Say what is wrong, when it was to be confirmed."""
        self.say(verdict.problem, wrong=True)


def judged(text: str) -> Verdict:
    """The verdict of the grammar on the text of a command."""
    try:
        return Verdict((" ".join(text.split()),), parsed=parse(text))
    except UserError as error:
        return Verdict(problem=str(error))


def keys_line(pairs: Sequence[tuple[str, str]]) -> Content:
    """'enter confirm  esc cancel', the keys bright."""
    return Content("  ").join(Content.assemble((key, "bold $primary"), f" {what}") for key, what in pairs)
