"""The keys under the curves, as many as there is room for."""

from collections.abc import Sequence
from functools import lru_cache

from rich.text import Text

from trainconsole.tui.keys import KEYS, Key
from trainconsole.tui.theme import MUTED, TRAIN


def footer(width: int, height: int, paused: bool, over: bool = False) -> list[Text]:
    """As many keys as `height` lines of `width` cells hold, the lowest ranks of them, in table order.

    A run that is over has no use for those that steer.
    """
    keys = _useful(over)
    return _packed(
        [key for key in keys if 0 < key.rank <= _last_rank(width, height, paused, over)], width, paused
    )


def _useful(over: bool) -> list[Key]:
    return [key for key in KEYS if not (over and (key.group == "steer" or key.action == "detach"))]


@lru_cache(8)
def _last_rank(width: int, height: int, paused: bool, over: bool) -> int:
    """0 where there is no room for any. Kept: all lengths of the footer are tried, which takes 0.6 ms."""
    keys = _useful(over)
    for most in sorted((key.rank for key in keys if key.rank), reverse=True):
        if len(_packed([key for key in keys if 0 < key.rank <= most], width, paused)) <= height:
            return most
    return 0


def _packed(keys: Sequence[Key], width: int, paused: bool) -> list[Text]:
    lines: list[Text] = []
    for key in keys:
        brief = "resume" if paused and key.action == "pause" else key.brief
        text = Text.assemble((key.shown, f"bold {TRAIN}"), f" {brief}", style=MUTED)
        if lines and lines[-1].cell_len + 2 + text.cell_len <= width:
            lines[-1].append("  ").append_text(text)
        else:
            lines.append(Text(" ").append_text(text))
    return lines
