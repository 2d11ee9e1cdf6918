"""What all our apps have: the theme, nothing but text on the screen, ASCII where there is nothing else."""

from collections.abc import Sequence
from typing import TypeVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

from trainconsole.engine.common.escapes import harmless
from trainconsole.tui import ascii_fallback, theme
from trainconsole.tui.key_queue import KeysInTurn

Result = TypeVar("Result")

THEME = Theme(
    name="trainconsole",
    primary=theme.TRAIN,
    secondary=theme.RATE,
    accent=theme.VALIDATION,
    warning=theme.BAD,
    error="#ff5f5f",
    success=theme.RATE,
    foreground=theme.TEXT,
    background=theme.BACKGROUND,
    surface=theme.SURFACE,
    panel=theme.PANEL,
    dark=True,
    variables={
        "border": "#444444",
        "border-blurred": "#303030",
        "footer-key-foreground": theme.TRAIN,
        "block-cursor-text-style": "none",
    },
)


class TextFilter(LineFilter):
    """The last to see what goes to the terminal, whatever a widget was given: as wide as it was laid out."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [Segment(_as_wide(text), style, control) for text, style, control in segments]


def _as_wide(text: str) -> str:
    return "".join(char if (shown := harmless(char)) == char else shown * cell_len(char) for char in text)


class StyledApp(KeysInTurn[Result]):
    """In our colours; keys in turn; its signs are ASCII where the locale is not UTF-8."""

    TITLE = "trainconsole"

    def __init__(self) -> None:
        super().__init__()
        # Each frame of an animation goes over the line.
        self.animation_level = "none"
        self.last_filters: tuple[LineFilter, ...] = (TextFilter(),)
        if ascii_fallback.needed():
            self.last_filters += (ascii_fallback.AsciiFilter(),)
        self.register_theme(THEME)
        self.theme = THEME.name

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self.last_filters]
