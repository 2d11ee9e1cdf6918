"""The lines of text around the curves, and how much room each has."""

from collections.abc import Iterator
from typing import Any

from textual.screen import Screen
from textual.widget import Widget

from trainconsole.tui.run_screen import footer, header, side_panel, timeline
from trainconsole.tui.state.run_model import Sight
from trainconsole.tui.widgets.cached_lines import Column, Row
from trainconsole.tui.widgets.curve_grid import Curves
from trainconsole.tui.widgets.text_lines import Lines

WIDE = 100
"""Columns from which on the side panel has room."""


def widgets() -> Iterator[Widget]:
    """All that a run's screen consists of."""
    side = []
    for name in ("in force", "so far", "timeline"):
        panel = Lines(id=name.replace(" ", "-"), classes="panel")
        panel.border_title = name
        side.append(panel)
    yield Lines(id="header")
    yield Row(Curves(), Column(*side, id="side"), id="body")
    yield Lines(id="brief")
    yield Lines(id="footer")


class Panes:
    """Draws on the widgets of `screen` what `sight` knows; only lines that changed are sent."""

    def __init__(self, screen: Screen[Any], sight: Sight) -> None:
        self._screen = screen
        self._sight = sight

    def draw(self) -> None:
        sight, foot, width = self._sight, self._lines("footer"), self._screen.size.width
        self.draw_header()
        foot.show(footer.footer(width, foot.size.height, sight.stage == "paused", sight.over))
        if self._side.display:
            force, far = self._lines("in-force"), self._lines("so-far")
            force.show(side_panel.in_force(sight.status, force.size.width, sight.undo))
            far.show(side_panel.so_far(sight.story, sight.status, sight.metric, far.size.width))
        self.draw_answers()

    def draw_header(self) -> None:
        sight, width = self._sight, self._screen.size.width
        text = header.header(sight.preset, sight.stage, sight.status, sight.device, width)
        self._lines("header").show([text])

    def draw_answers(self) -> None:
        """The timeline. Sent alone it is there sooner: Textual looks at no other widget."""
        sight, status = self._sight, self._sight.status
        if self._side.display:
            past = self._lines("timeline")
            width, height = past.size
            past.show(timeline.timeline(sight.newest(height), width, height))
        brief = self._lines("brief")
        if brief.display:
            width, height = brief.size
            brief.show(side_panel.brief(sight.newest(3), sight.story, status, width, height))

    def fit(self) -> None:
        """Give the room there is to what needs it most: a curve, then the keys, then the panels."""
        width, height = self._screen.size
        curves = self._screen.query_one(Curves)
        curves.narrow = width < WIDE or curves.enlarged
        self._side.display = not curves.narrow
        brief, foot = self._lines("brief"), self._lines("footer")
        brief.styles.height = (3 if height >= 20 else 2 if height >= 12 else 1) if curves.narrow else 0
        foot.styles.height = 2 if height >= 20 else 1
        brief.display, foot.display = curves.narrow and height >= 7, height >= 9

    @property
    def _side(self) -> Widget:
        return self._screen.query_one("#side")

    def _lines(self, name: str) -> Lines:
        return self._screen.query_one(f"#{name}", Lines)
