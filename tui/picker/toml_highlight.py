"""TOML with a little colour, wrapped so that what a comment goes on with hangs below it. No pygments."""

import re
import textwrap

from textual.content import Content, Span

from trainconsole.tui import theme
from trainconsole.tui.text.format import harmless

HANGING = "    "
SHORTEST = 12
"""Columns below which nothing is wrapped."""

STYLES = {
    "comment": theme.MUTED,
    "section": f"bold {theme.TRAIN}",
    "string": theme.RATE,
    "value": theme.VALIDATION,
}
TOKENS = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'[^']*')
      | (?P<comment>\#[\s\S]*)
      | (?P<section>^\s*\[\[?[^\]=]+\]\]?(?=\s*(?:\#|$)))
      | (?P<value>(?<![\w.])(?:true|false|[+-]?\d[\d_.]*(?:e[+-]?\d+)?)(?![\w]))""",
    re.VERBOSE,
)


def toml(text: str, width: int) -> Content:
    """`text` coloured by what its parts are; lines longer than `width` cells go on, indented, below."""
    return Content("\n").join([_line(harmless(line), width) for line in text.splitlines()])


def _line(line: str, width: int) -> Content:
    shown = line
    if len(line) > width >= SHORTEST:
        shown = "\n".join(textwrap.wrap(line, width, subsequent_indent=HANGING, break_on_hyphens=False))
    spans = [
        Span(found.start(), found.end(), STYLES[found.lastgroup])
        for found in TOKENS.finditer(shown)
        if found.lastgroup
    ]
    return Content(shown, spans)
