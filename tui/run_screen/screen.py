"""The run: live curves, what is in force, a timeline, and the keys that steer it."""

import importlib
import time
from functools import partial
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer

from trainconsole.engine.protocol.status import Status
from trainconsole.tui import keys
from trainconsole.tui.dialogs.base import Dialog
from trainconsole.tui.run_screen import panes
from trainconsole.tui.run_screen.connection import SOON, Connection
from trainconsole.tui.run_screen.curve_choice import CurveChoice
from trainconsole.tui.run_screen.frame_pacing import Governor
from trainconsole.tui.run_screen.screen_result import Left
from trainconsole.tui.run_screen.steering import Steering
from trainconsole.tui.state.feed import Feed
from trainconsole.tui.state.run_model import Sight
from trainconsole.tui.widgets.curve_grid import Curves

SETTLING = 3
"""Frames in which the console is still building itself, which says nothing of what a frame costs."""
READY = 1.0
"""Seconds after which all that a key may open is loaded."""


class RunScreen(Steering):
    """One run, live where `feed` reaches a host. Without a feed it shows what `sight` is given."""

    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = "#curves"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(*entry, priority=True) for entry in keys.bindings("steer", "leave")),
        Binding("ctrl+c", "leave", "quit"),
    ]

    def __init__(self, sight: Sight, feed: Feed | None = None) -> None:
        super().__init__(sight)
        if feed is not None:
            self.connection = Connection(feed, sight, self)
        self._choice = CurveChoice(sight)
        self._governor = Governor()
        self._due: Timer | None = None
        self._drawn = 0.0
        self.frames = 0
        self._leaves = False
        self._told = False

    @property
    def status(self) -> Status:
        """The newest one."""
        return self.sight.status

    def compose(self) -> ComposeResult:
        yield from panes.widgets()

    def on_mount(self) -> None:
        if self.connection is not None:
            self.set_timer(READY, load_dialogs)
            self.connection.open()

    def on_unmount(self) -> None:
        if self.connection is not None:
            self.connection.close()

    # --- what is drawn ------------------------------------------------------------------------------------

    def changed(self) -> None:
        """There is something new to see: draw as soon as the governor lets us."""
        if self._due is None:
            wait = self._drawn + self._governor.interval - time.monotonic()
            self._due = self.set_timer(max(SOON, wait), self.draw)

    def answered(self) -> None:
        """An answer that somebody waits for is shown at once, the curves with the next frame."""
        self.panes.draw_answers()
        self.call_after_refresh(self._draw_rest)

    def _draw_rest(self) -> None:
        self.panes.draw()
        self.changed()

    def draw(self) -> None:
        """Draw now, whatever is new; only lines that changed are sent."""
        if self._due is not None:
            self._due.stop()
            self._due = None
        if not self.is_mounted or not self._is_read():
            return
        self.panes.draw()
        if self.connection is None or not self.connection.starts:
            # Before there is a host there is nothing for a curve, and the first frame is the sooner there.
            curves = self.query_one(Curves)
            self._choice.recall(curves)
            curves.show(self.sight.scene())
        self._drawn = time.monotonic()
        self.frames += 1
        if self.frames > SETTLING:
            self._governor.frame(self._drawn, time.process_time())
        if isinstance(self.app.screen, Dialog):
            self.app.screen.keep_up(self.sight.status)
        self._conclude()

    def _is_read(self) -> bool:
        """Whether what is on disk is known, or is still being read: then there is something to be seen."""
        connection = self.connection
        return connection is None or connection.behind or connection.read() or connection.behind

    def on_resize(self) -> None:
        self.panes.draw_header()
        self.fit()

    def fit(self) -> None:
        self.panes.fit()
        self.call_after_refresh(self.draw)

    def on_curves_moved(self) -> None:
        self.fit()

    def on_curves_choosing(self) -> None:
        from trainconsole.tui.dialogs import catalog

        curves = self.query_one(Curves)
        self.app.push_screen(
            catalog.CurvesScreen(curves.listed, lambda: curves.known, partial(self._choice.take, curves))
        )

    # --- leaving ------------------------------------------------------------------------------------------

    def give_up(self, error: str) -> None:
        """There is nothing to be shown, and this is why."""
        self._go(Left("failed start", error))

    def _go(self, left: Left) -> None:
        """Leave, with whatever is open above; one that is being mounted would miss its children."""
        if self in self.app.screen_stack and not self.app.screen.is_mounted:
            self.set_timer(SOON, lambda: self._go(left))
            return
        while self.app.screen is not self and self in self.app.screen_stack:
            self.app.pop_screen()
        self.dismiss(left)

    def action_detach(self) -> None:
        how: Literal["quit", "detached"] = "quit" if self.sight.over else "detached"
        self._go(Left(how, paused=self.sight.stage == "paused"))

    def action_leave(self) -> None:
        if self.sight.over:
            self._go(Left("quit"))
        else:
            from trainconsole.tui.dialogs import catalog

            self.app.push_screen(catalog.LeaveScreen(self.sight.status), self._leave)

    def _leave(self, how: str | None) -> None:
        if how == "detach":
            self.action_detach()
        elif how == "stop":
            self._leaves = True
            self.action_send("stop")

    def _conclude(self) -> None:
        """Once a run is over, say what came of it."""
        if not self.sight.over or self._told or self.connection is None or self.connection.behind:
            return
        self._told = True
        if self._leaves:
            self._go(Left("quit"))
        else:
            from trainconsole.tui.dialogs import catalog
            from trainconsole.tui.text import run_outcome

            ended = run_outcome.told(self.sight.run, self.sight.story.told)
            self.app.push_screen(catalog.FinishedScreen(ended), self._after)

    def _after(self, how: str | None) -> None:
        if how == "quit":
            self._go(Left("quit"))
        elif how == "resume":
            self._go(Left("resume"))


def load_dialogs() -> None:
    """Before a key asks for one of them."""
    importlib.import_module("trainconsole.tui.dialogs.catalog")
