"""The run: live curves, what is in force, a timeline, and the keys that steer it."""

import asyncio
import importlib
import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer

from trainconsole.engine.errors import UserError
from trainconsole.engine.messages import Status
from trainconsole.tui import keys, panels
from trainconsole.tui.feed import Feed
from trainconsole.tui.governor import Governor
from trainconsole.tui.left import Left
from trainconsole.tui.screens.dialog import Dialog
from trainconsole.tui.sight import Sight
from trainconsole.tui.widgets.curves import Curves
from trainconsole.tui.widgets.kept import Column, Row
from trainconsole.tui.widgets.lines import Lines

WIDE = 100
"""Columns from which on the side panel has room."""
SOON = 0.001
"""Seconds: a timer of Textual's that has none left never fires."""
SETTLING = 3
"""Frames in which the console is still building itself, which says nothing of what a frame costs."""
READY = 1.0
"""Seconds after which all that a key may open is loaded."""
PROMPT = 0.012
"""Seconds that an answer may take before a command is shown as requested: drawing would only delay it."""
RETRY = 0.05
"""Seconds between two tries to reach a host that is starting."""


class RunScreen(Screen[Left]):
    """One run, live where `feed` reaches a host. Without a feed it shows what `sight` is given."""

    CSS_PATH = "run.tcss"
    AUTO_FOCUS = "#curves"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(*entry, priority=True) for entry in keys.bindings("steer", "leave")),
        Binding("ctrl+c", "leave", "quit"),
    ]

    def __init__(self, sight: Sight, feed: Feed | None = None) -> None:
        super().__init__()
        self.sight = sight
        self._feed = feed
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
        yield Lines(id="header")
        with Row(id="body"):
            yield Curves()
            with Column(id="side"):
                for name in ("in force", "so far", "timeline"):
                    panel = Lines(id=name.replace(" ", "-"), classes="panel")
                    panel.border_title = name
                    yield panel
        yield Lines(id="brief")
        yield Lines(id="footer")

    # --- what comes in ------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        if self._feed is not None:
            self.set_timer(READY, load_dialogs)
            self._seek(self._feed)

    def on_unmount(self) -> None:
        if self._feed is not None:
            self._deafen(self._feed)
            self._feed.close()

    def _seek(self, feed: Feed) -> None:
        """Reach the host; while it is starting, again and again."""
        self.sight.expected = True
        try:
            reached = feed.connect()
        except UserError as error:
            self._give_up(feed, str(error))
            return
        if reached:
            asyncio.get_running_loop().add_reader(feed.fileno(), self._readable, feed)
        elif feed.awaited:
            self.set_timer(RETRY, lambda: self._seek(feed))
        else:
            self._gone(feed)

    def _readable(self, feed: Feed) -> None:
        """Called by the event loop, which would swallow an exception: let Textual have it."""
        try:
            with self.app._context():
                self._hear(feed)
        except UserError as error:
            self._give_up(feed, str(error))
        except Exception as error:
            self._deafen(feed)
            self.call_later(_raise, error)

    def _hear(self, feed: Feed) -> None:
        """A status was pushed, or the host has left."""
        before = self.sight.status.last_seq
        heard = feed.listen()
        status = feed.status
        if heard and status is not None:
            self.sight.take(status=status)
            if status.error and self.sight.story.started is None and status.rows == 0 and status.last_seq < 0:
                self._give_up(feed, status.error)
                return
            self._news(feed, status.last_seq != before)
        if not feed.live:
            self._gone(feed)

    def _news(self, feed: Feed, events: bool) -> None:
        """An answer that somebody waits for is shown at once, the curves with the next frame."""
        waited = self.sight.story.waits
        if events:
            self.sight.take(events=feed.events())
        if events and self.sight.over:
            self.draw()
            return
        if events and waited and self.is_mounted:
            self._draw_answers()
            self.call_after_refresh(self._draw_rest)
        else:
            self.changed()

    def _draw_rest(self) -> None:
        self._draw_panels()
        self.changed()

    def _gone(self, feed: Feed) -> None:
        """Nobody trains this run any more: what it left is all there is."""
        self._deafen(feed)
        if not self._read(feed):
            return
        if self.sight.story.started is None and feed.failed:
            self._give_up(feed, feed.failed)
            return
        self.sight.settle()
        self.draw()

    def _read(self, feed: Feed) -> bool:
        """All that is new on disk; whether it could be read."""
        try:
            self.sight.read(feed)
        except UserError as error:
            self._give_up(feed, str(error))
            return False
        return True

    def _go(self, left: Left) -> None:
        """Leave, with whatever is open above."""
        while self.app.screen is not self and self in self.app.screen_stack:
            self.app.pop_screen()
        self.dismiss(left)

    def _give_up(self, feed: Feed, error: str) -> None:
        """There is nothing to be shown, and this is why."""
        self._deafen(feed)
        self._go(Left("failed start", error))

    def _deafen(self, feed: Feed) -> None:
        if (number := feed.fileno()) >= 0:
            asyncio.get_running_loop().remove_reader(number)

    # --- what is drawn ------------------------------------------------------------------------------------

    def changed(self) -> None:
        """There is something new to see: draw as soon as the governor lets us."""
        if self._due is None:
            wait = self._drawn + self._governor.interval - time.monotonic()
            self._due = self.set_timer(max(SOON, wait), self.draw)

    def draw(self) -> None:
        """Draw now, whatever is new; only lines that changed are sent."""
        if self._due is not None:
            self._due.stop()
            self._due = None
        if not self.is_mounted:
            return
        if self._feed is not None and not self._read(self._feed):
            return
        self._draw_panels()
        if not self._waits:
            self.query_one(Curves).show(self.sight.scene())
        self._drawn = time.monotonic()
        self.frames += 1
        if self.frames > SETTLING:
            self._governor.frame(self._drawn, time.process_time())
        if isinstance(self.app.screen, Dialog):
            self.app.screen.follow(self.sight.status)
        self._conclude()

    @property
    def _waits(self) -> bool:
        """Whether there is no host yet, and so nothing for a curve: the first frame is the sooner there."""
        return self._feed is not None and self._feed.awaited and not self._feed.live

    def _draw_header(self) -> None:
        sight = self.sight
        text = panels.header(sight.preset, sight.stage, sight.status, sight.device, self.size.width)
        self._lines("header").show([text])

    def _draw_panels(self) -> None:
        sight, footer = self.sight, self._lines("footer")
        self._draw_header()
        footer.show(panels.footer(self.size.width, footer.size.height, sight.stage == "paused", sight.over))
        if self.query_one("#side").display:
            force, far = self._lines("in-force"), self._lines("so-far")
            force.show(panels.in_force(sight.status, force.size.width))
            far.show(panels.so_far(sight.story, sight.status, sight.metric, far.size.width))
        self._draw_answers()

    def _draw_answers(self) -> None:
        """The timeline. Sent alone it is there sooner: Textual looks at no other widget."""
        sight, status = self.sight, self.sight.status
        if self.query_one("#side").display:
            past = self._lines("timeline")
            width, height = past.size
            past.show(panels.timeline(sight.newest(height), width, height))
        brief = self._lines("brief")
        if brief.display:
            width, height = brief.size
            brief.show(panels.brief(sight.newest(3), sight.story, status, width, height))

    def _lines(self, name: str) -> Lines:
        return self.query_one(f"#{name}", Lines)

    def on_resize(self) -> None:
        self._draw_header()
        self.fit()

    def fit(self) -> None:
        """Give the room there is to what needs it most: a curve, then the keys, then the panels."""
        width, height = self.size
        curves = self.query_one(Curves)
        curves.narrow = width < WIDE or curves.enlarged
        self.query_one("#side").display = not curves.narrow
        brief, footer = self._lines("brief"), self._lines("footer")
        brief.styles.height = (3 if height >= 20 else 2 if height >= 12 else 1) if curves.narrow else 0
        footer.styles.height = 2 if height >= 20 else 1
        brief.display, footer.display = curves.narrow and height >= 7, height >= 9
        self.call_after_refresh(self.draw)

    def on_curves_moved(self) -> None:
        self.fit()

    # --- what goes out ------------------------------------------------------------------------------------

    def action_send(self, command: str) -> None:
        """Ask for a command; it shows as requested until the host has answered."""
        story = self.sight.story
        try:
            if self.sight.over or self._feed is None:
                raise UserError("the run is over")
            story.request(self._feed.send(command), command)
        except UserError as error:
            story.refuse("", command, str(error))
            self._draw_answers()
        self.set_timer(PROMPT, self._draw_requests)

    def _draw_requests(self) -> None:
        if self.sight.story.waits:
            self._draw_answers()

    def _send_all(self, commands: Sequence[str] | None) -> None:
        for command in commands or ():
            self.action_send(command)

    def action_pause(self) -> None:
        self.action_send("resume" if self.sight.stage == "paused" else "pause")

    def action_rate(self) -> None:
        self.ask("lr ", "learning rate")

    def ask(self, start: str, title: str) -> None:
        """Have a command completed, and send it."""
        if self.sight.over:
            self.action_send(start.strip())
            return
        from trainconsole.tui.screens import dialogs

        self.app.push_screen(dialogs.PromptScreen(title, start, status=self.sight.status), self._send_all)

    def action_schedule(self) -> None:
        from trainconsole.tui.screens import dialogs

        self._choose("schedule", dialogs.ScheduleScreen)

    def action_optimizer(self) -> None:
        from trainconsole.tui.screens import dialogs

        self._choose("optimizer", dialogs.OptimizerScreen)

    def action_regularise(self) -> None:
        from trainconsole.tui.screens import dialogs

        self._choose("set", dialogs.RegulariseScreen)

    def _choose(self, name: str, dialog: Callable[[Status], Dialog[tuple[str, ...]]]) -> None:
        """A run that is over takes nothing any more, and says so."""
        if self.sight.over:
            self.action_send(name)
        else:
            self.app.push_screen(dialog(self.sight.status), self._send_all)

    def action_stop(self) -> None:
        if self.sight.over:
            self.action_send("stop")
            return
        from trainconsole.tui.screens import dialogs

        self.app.push_screen(dialogs.StopScreen(self.sight.status, self.sight.story.best), self._send_all)

    def action_help(self) -> None:
        from trainconsole.tui.screens import dialogs

        self.app.push_screen(dialogs.HelpScreen())

    def action_detach(self) -> None:
        how: Literal["quit", "detached"] = "quit" if self.sight.over else "detached"
        self._go(Left(how, paused=self.sight.stage == "paused"))

    def action_leave(self) -> None:
        if self.sight.over:
            self._go(Left("quit"))
        else:
            from trainconsole.tui.screens import dialogs

            self.app.push_screen(dialogs.LeaveScreen(self.sight.status), self._leave)

    def _leave(self, how: str | None) -> None:
        if how == "detach":
            self.action_detach()
        elif how == "stop":
            self._leaves = True
            self.action_send("stop")

    def _conclude(self) -> None:
        """Once a run is over, say what came of it."""
        if not self.sight.over or self._told or self._feed is None:
            return
        self._told = True
        if self._leaves:
            self._go(Left("quit"))
        else:
            from trainconsole.tui import outcome
            from trainconsole.tui.screens import dialogs

            ended = outcome.told(self.sight.run, self.sight.story.events)
            self.app.push_screen(dialogs.FinishedScreen(ended), self._after)

    def _after(self, how: str | None) -> None:
        if how == "quit":
            self._go(Left("quit"))
        elif how == "resume":
            self._go(Left("resume"))


def load_dialogs() -> None:
    """Before a key asks for one of them."""
    importlib.import_module("trainconsole.tui.screens.dialogs")


def _raise(error: Exception) -> None:
    raise error
