"""A picture of the console on a run, as an SVG: drawn without a terminal, from the record alone."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from select import select
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from textual.screen import Screen

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import replace_file
from trainconsole.tui.base_app import StyledApp
from trainconsole.tui.run_screen.screen import RunScreen
from trainconsole.tui.state.feed import Feed
from trainconsole.tui.state.run_model import Sight

SMALLEST, LARGEST = (20, 5), (400, 200)
ANSWER = 5.0
"""Seconds that a host may take to say how it stands."""
CELL, LINE, RAISED = 12.2, 24.4, 18.5
"""Of rich's SVG: width and height of a cell, and how far the top of its background is above the text's y."""
DOT = 4.0
"""Side of a dot of braille, of which 2 x 4 share a cell."""
BITS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each dot, by its bit in the sign's code from U+2800 on."""
SVG = "http://www.w3.org/2000/svg"


class Studio(StyledApp[None]):
    """Shows one screen, for no eyes but a camera's."""

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self._shown = screen

    def on_mount(self) -> None:
        self.push_screen(self._shown)


def to_svg(run: Path, file: Path, size: tuple[int, int]) -> None:
    """Write what the console shows of `run`, live or over, on a terminal of `size` (columns, lines).

    Raises UserError.
    """
    if not all(low <= value <= high for low, value, high in zip(SMALLEST, size, LARGEST, strict=True)):
        raise UserError(f"--size: from {SMALLEST[0]}x{SMALLEST[1]} to {LARGEST[0]}x{LARGEST[1]}")
    sight = _seen(run)
    try:
        replace_file(file, asyncio.run(_drawn(RunScreen(sight), size)).encode())
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from None


def _seen(run: Path) -> Sight:
    sight, feed = Sight(run), Feed(run)
    try:
        # A host pushes its status to whoever connects.
        heard = feed.connect() and select([feed], [], [], ANSWER)[0] and feed.listen()
        sight.take(status=feed.status)
        sight.read(feed)
    finally:
        feed.close()
    if not heard:
        sight.settle()
    return sight


async def _drawn(screen: RunScreen, size: tuple[int, int]) -> str:
    app = Studio(screen)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        return self_contained(app.export_screenshot(title="trainconsole", simplify=True))


def self_contained(svg: str) -> str:
    """The same picture whatever fonts there are: nothing is fetched, and braille is drawn dot by dot."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)
    own = next(part.attrib["id"] for part in root.iter(f"{{{SVG}}}clipPath")).partition("clip-")[0]
    for part in root.iter():
        # The id keeps pictures apart that are pasted into one page; it is repeated a thousand times.
        part.attrib.update({name: value.replace(own, "tc-") for name, value in part.attrib.items()})
        if part.tag == f"{{{SVG}}}style":
            part.text = _without_fonts((part.text or "").replace(own, "tc-"))
    for part in [*root.iter()]:
        for index, text in reversed([*enumerate(part)]):
            if text.tag == f"{{{SVG}}}text":
                part[index : index + 1] = _dotted(text)
    return ElementTree.tostring(root, encoding="unicode")


def _without_fonts(style: str) -> str:
    """A picture in a page may not fetch a font, and one in a browser should not."""
    rules = (rule.strip() for rule in style.split("}"))
    return "\n".join(f"{rule}}}" for rule in rules if rule and not rule.startswith("@font-face"))


def _dotted(text: Element) -> list[Element]:
    """A run of text, its braille as a path of squares; few fonts for terminals have the signs."""
    signs = text.text or ""
    drawn = "".join(_squares(signs, float(text.attrib["x"]), float(text.attrib["y"]) - RAISED))
    if not drawn:
        return [text]
    path = Element(f"{{{SVG}}}path", {"class": text.attrib["class"], "d": drawn})
    text.text = "".join("\xa0" if "\u2800" <= sign <= "\u28ff" else sign for sign in signs)
    return [path, text] if text.text.strip() else [path]


def _squares(signs: str, x: float, top: float) -> Iterator[str]:
    for index, sign in enumerate(signs):
        code = ord(sign) - 0x2800
        for bit, (column, row) in enumerate(BITS):
            if 0 < code < 256 and code >> bit & 1:
                left = x + CELL * (index + column / 2 + 0.25) - DOT / 2
                high = top + LINE * (row + 0.5) / 4 - DOT / 2
                yield f"M{left:.1f} {high:.1f}h{DOT:g}v{DOT:g}h-{DOT:g}z"
