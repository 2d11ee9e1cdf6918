"""However lines move, change and are styled, what is kept of them is what would be drawn anew."""

import random

from rich.text import Text
from support.piloting import pilot
from textual.app import App
from textual.geometry import Region

from trainconsole.tui.widgets.text_lines import Lines, laid

WORDS = [
    "",
    "loss 0.31",
    "漢字 epoch 2",
    "lr x0.5 → 5e-4",
    "a line that is longer than the widget is wide",
    "✓",
]
STYLES = ["", "bold", "#ff5f5f", "on #303030", "dim"]


class Shown(App[None]):
    CSS = """Lines { width: 24; height: 9; border: round white; padding: 0 1; background: #101010; }
    Lines.-wide { width: 34; } Lines.-grey { background: #404040; }"""

    def compose(self):
        yield Lines(id="kept")


def drawn(lines):
    return [list(strip) for strip in lines.render_lines(Region(0, 0, *lines.outer_size))]


def anew(lines):
    """The same by a widget that has nothing to remember."""
    lines._strips = [laid(text, lines.size.width, lines.base) for text in lines.texts[: lines.size.height]]
    lines.refresh()
    return drawn(lines)


def test_whatever_is_shown_after_whatever_is_drawn_as_if_it_were_the_first():
    async def steps(driver):
        lines, chance = driver.app.query_one("#kept", Lines), random.Random(1)
        shown = [Text(chance.choice(WORDS), chance.choice(STYLES)) for _ in range(20)]
        moved = 0
        for turn in range(60):
            new = [Text(chance.choice(WORDS), chance.choice(STYLES)) for _ in range(chance.randrange(3))]
            shown = [*new, *shown][: chance.choice((5, 20, 20))]
            if turn % 9 == 8:
                lines.toggle_class(chance.choice(("-wide", "-grey")))
                await driver.pause()
            lines.show(shown)
            moved += sum(lines.known_line(y) is not None for y in range(1, 8))
            found = drawn(lines)
            assert found == anew(lines)
        assert moved > 100

    pilot(Shown(), (50, 12), steps)
