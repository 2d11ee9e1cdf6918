"""What all our apps have: the theme, and ASCII where the terminal has nothing else."""

from typing import TypeVar

from textual.app import App

from trainconsole.tui import ascii
from trainconsole.tui.theme import THEME

Result = TypeVar("Result")


class StyledApp(App[Result]):
    """In our colours; its signs are ASCII where the locale is not UTF-8."""

    TITLE = "trainconsole"

    def __init__(self) -> None:
        super().__init__()
        # Each frame of an animation goes over the line.
        self.animation_level = "none"
        if ascii.needed():
            self._filters.append(ascii.AsciiFilter())
        self.register_theme(THEME)
        self.theme = THEME.name
