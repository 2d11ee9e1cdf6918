"""How the run ended, over its curves: the result, where the files are, what can be done next."""

import textwrap
from collections.abc import Iterator
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from trainconsole.engine.protocol.events import Finished
from trainconsole.tui import theme
from trainconsole.tui.dialogs.base import Dialog, keys_line
from trainconsole.tui.text.cells import cut
from trainconsole.tui.text.run_outcome import Facts, Outcome, facts, headline, onwards, title
from trainconsole.tui.widgets.confusion_matrix import heat

BESIDE = 7
"""Cells that border, padding and scroll bar take."""
ABOVE = 5
"""Lines that border, padding and keys take."""
NARROWEST = 8
"""Columns that words are wrapped to at least."""
TINY = 12
"""Lines below which a dialog has neither border nor keys."""
APART = 4
WIDEST = 120


class FinishedScreen(Dialog[str]):
    """Dismissed with "" (back to the curves), "quit", or "resume" where the run did not come to its end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "cancel", "back to the curves", show=False),
        Binding("r", "resume", "go on with it", show=False),
        Binding("question_mark", "help", "every key", show=False),
        Binding("q,ctrl+c", "leave", "quit", show=False),
    ]
    DEFAULT_CSS = """
    FinishedScreen {
        & > #box { padding: 1 1 0 2; }
        & > #box.-bad { border: round $warning; border-title-color: $warning; }
        #scroll {
            height: auto;
            padding: 0 1 0 0;
            scrollbar-size-vertical: 1;
            scrollbar-color: $border;
            scrollbar-color-hover: $border;
            scrollbar-color-active: $primary;
            scrollbar-background: $surface;
            scrollbar-background-hover: $surface;
            scrollbar-background-active: $surface;
        }
        #result { height: auto; }
        #said { display: none; }
        #keys { margin-top: 1; }
    }
    FinishedScreen.-tiny > #box { padding: 0; }
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(title(outcome), "")
        self.outcome = outcome

    def body(self) -> Iterator[Widget]:
        yield VerticalScroll(Static(id="result"), id="scroll")

    def on_mount(self) -> None:
        self.query_one("#box").set_class(self._resumable, "-bad")

    def on_resize(self) -> None:
        """The box is as wide as what is in it, and scrolls where it is too low."""
        width, height = self.size
        text = told(self.outcome, min(WIDEST, width - BESIDE))
        scroll = self.query_one("#scroll")
        self.query_one("#result", Static).update(text)
        self.query_one("#box").styles.width = max(line.cell_length for line in text.split("\n")) + BESIDE
        scroll.styles.max_height = max(1, height - (ABOVE if height >= TINY else 0))
        self.call_after_refresh(self._name_keys)

    def _name_keys(self) -> None:
        scrolls = self.query_one("#scroll").max_scroll_y > 0
        self.query_one("#keys", Static).update(keys_line(_keys(self._resumable, scrolls=scrolls)))

    @property
    def _resumable(self) -> bool:
        return not isinstance(self.outcome.event, Finished)

    def action_confirm(self) -> None:
        self.dismiss("")

    def action_leave(self) -> None:
        self.dismiss("quit")

    def action_resume(self) -> None:
        if self._resumable:
            self.dismiss("resume")

    def action_help(self) -> None:
        from trainconsole.tui.dialogs.help import HelpScreen

        self.app.push_screen(HelpScreen())


def told(outcome: Outcome, width: int) -> Content:
    """All of it, `width` cells wide at most where words allow it; the matrix beside the words if it fits."""
    end = outcome.event
    words = [Content.styled(headline(outcome), "bold"), Content(""), *_listed(facts(outcome), width)]
    matrix = heat(end.confusion, end.classes, width) if isinstance(end, Finished) else None
    parts = [_together(words, matrix.split("\n") if matrix else [], width)]
    if outcome.log:
        lines = [Content.styled(part, theme.MUTED) for line in outcome.log for part in _wrapped(line, width)]
        parts.append([Content.styled("the end of host.log", theme.TEXT), *lines])
    parts.append(_commands(onwards(outcome), width))
    return Content("\n\n").join([Content("\n").join(lines) for lines in parts])


def _together(left: list[Content], right: list[Content], width: int) -> list[Content]:
    """Beside each other where there is room for both, else one below the other."""
    if not right:
        return left
    wide = max(line.cell_length for line in left)
    if wide + APART + max(line.cell_length for line in right) > width:
        return [*left, Content(""), *right]
    blank = [Content("")] * max(len(left), len(right))
    rows = zip((left + blank)[: len(blank)], (right + blank)[: len(blank)], strict=True)
    return [a.pad_right(wide + APART - a.cell_length) + b for a, b in rows]


def _listed(pairs: Facts, width: int) -> list[Content]:
    room = max((len(name) for name, _ in pairs), default=0) + 2
    return [
        Content.assemble((f"{'' if index else name:<{room}}", theme.MUTED), part)
        for name, value in pairs
        for index, part in enumerate(_wrapped(value, width - room))
    ]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(NARROWEST, width), break_on_hyphens=False)


def _commands(pairs: Facts, width: int) -> list[Content]:
    """Each with what it is for, where there is room to say so."""
    room = max(cell_len(line) for line, _ in pairs)
    fits = room + 3 + max(cell_len(note) for _, note in pairs) <= width
    return [
        Content.assemble(
            (cut(line, room) if fits else line, theme.RATE), (f"   {note}" if fits else "", theme.MUTED)
        )
        for line, note in pairs
    ]


def _keys(resumable: bool, *, scrolls: bool) -> list[tuple[str, str]]:
    pairs = [("enter", "curves"), ("?", "help"), ("q", "quit")]
    if resumable:
        pairs.insert(0, ("r", "resume"))
    return [*pairs, ("↑ ↓", "scroll")] if scrolls else pairs
