"""For a terminal without UTF-8: every sign that is no ASCII, as one that is."""

import os
import sys
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

SIGNS = str.maketrans(
    {
        **dict.fromkeys("─━╴╶╸╺┄┅╌╍═▔▁▂", "-"),
        **dict.fromkeys("│┃┊┆╎║▏▕▎▍▌▐", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛╔╗╚╝", "+"),
        **dict.fromkeys("█▉▊▋▓▒░▀▄", "#"),
        "●": "o",
        "★": "*",
        "✓": "+",
        "✗": "x",
        "\u00d7": "x",
        "·": ".",
        "◇": "e",
        "‖": "|",
        "▸": ">",
        "▶": ">",
        "■": "#",
        "…": "~",
        "→": ">",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "▲": "^",
        "▼": "v",
        "\ufffd": "?",
    }
)


def needed() -> bool:
    """Whether the locale says that the terminal is not UTF-8, or it is one that has no such font."""
    if os.environ.get("LC_ALL") in ("C", "POSIX") or os.environ.get("TERM") == "linux":
        return True
    return not (sys.stdout.encoding or "").lower().startswith("utf")


@lru_cache(4096)
def plain(text: str) -> str:
    """`text` in ASCII, as wide as it was."""
    return "".join(
        _dots(char) if "\u2800" <= char <= "\u28ff" else char if char.isascii() else "?" * cell_len(char)
        for char in text.translate(SIGNS)
    )


def _dots(char: str) -> str:
    """A braille cell by where its dots are."""
    bits = ord(char) - 0x2800
    top, bottom = bits & 0b00011011, bits & 0b11100100
    if not bits:
        return " "
    return ":" if top and bottom else "'" if top else "."


class AsciiFilter(LineFilter):
    """Put into an app's filters, it is the last to see what goes to the terminal."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(plain(text), style, control) for text, style, control in segments]
