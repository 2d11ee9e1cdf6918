"""The host of a run, as its screen reaches it: what comes in goes into the model, and the screen is told."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.transport.client import NoRoom
from trainconsole.tui.state.feed import Feed
from trainconsole.tui.state.run_model import Sight

SOON = 0.001
"""Seconds: a timer of Textual's that has none left never fires."""
BREATH = 0.05
"""Seconds that a long record is read at a time."""
RETRY = 0.05
"""Seconds between two tries to reach a host that is starting."""
AGAIN = 0.25
"""Seconds between two tries to get back a place among the clients of a host that is full."""
PATIENCE = 30.0
"""Seconds of such tries."""


class Watcher(Protocol):
    """The screen that shows the run."""

    @property
    def is_mounted(self) -> bool: ...

    def set_timer(self, delay: float, callback: Callable[[], None]) -> object: ...

    def call_later(self, callback: Callable[..., Any], *args: Any) -> bool: ...

    def draw(self) -> None:
        """Now."""

    def changed(self) -> None:
        """There is something new to see."""

    def answered(self) -> None:
        """An answer is there that somebody waits for."""

    def give_up(self, error: str) -> None:
        """There is nothing to be shown, and this is why."""


class Connection:
    """Reads what the host pushes and what is new on disk, on Textual's event loop."""

    def __init__(self, feed: Feed, sight: Sight, screen: Watcher) -> None:
        self._feed = feed
        self._sight = sight
        self._screen = screen
        self._lost = False
        self._crowded_since: float | None = None
        self.behind = False

    @property
    def starts(self) -> bool:
        """Whether there is no host yet."""
        return self._feed.awaited and not self._feed.live

    def open(self) -> None:
        """Reach the host; while it is starting, again and again."""
        self._sight.expected = True
        try:
            reached = self._feed.connect()
        except UserError as error:
            self._give_up(str(error))
            return
        if reached:
            self._attend()
        elif self._feed.awaited:
            self._screen.set_timer(RETRY, self.open)
        else:
            self._gone()

    def close(self) -> None:
        self._deafen()
        self._feed.close()

    def send(self, command: str) -> str:
        """The id of the request; sent again where the host had let the connection go. Raises UserError."""
        try:
            return self._feed.send(command)
        except UserError:
            self._gone()
            if not self._feed.live:
                raise
            return self._feed.send(command)

    def read(self) -> bool:
        """What is new on disk; whether that was all. The rest follows soon: keys and signals come between."""
        try:
            done = self._sight.read(self._feed, BREATH)
        except UserError as error:
            self._give_up(str(error))
            return False
        if not done and not self.behind:
            self._screen.set_timer(SOON, self._read_on)
        self.behind = not done
        return done

    def _read_on(self) -> None:
        if not self._screen.is_mounted:
            return
        self.behind = False
        if self.read() and self._lost:
            self._settle()
        else:
            self._screen.changed()

    def _attend(self) -> None:
        asyncio.get_running_loop().add_reader(self._feed.fileno(), self._readable)

    def _readable(self) -> None:
        """Called by the event loop, in the context that `_attend` had, which is Textual's. It would swallow
        an exception: let Textual have it."""
        try:
            self._hear()
        except NoRoom as error:
            self._come_again(error)
        except UserError as error:
            self._give_up(str(error))
        except Exception as error:
            self._deafen()
            self._screen.call_later(_raise, error)

    def _hear(self) -> None:
        """A status was pushed, or the host has left."""
        sight, before = self._sight, self._sight.status.last_seq
        heard = self._feed.listen()
        status = self._feed.status
        if heard and status is not None:
            self._crowded_since = None
            sight.take(status=status)
            if status.error and sight.story.started is None and status.rows == 0 and status.last_seq < 0:
                self._give_up(status.error)
                return
            self._news(status.last_seq != before)
        if not self._feed.live:
            self._gone()

    def _news(self, events: bool) -> None:
        """An answer that somebody waits for is shown at once, the curves with the next frame."""
        waited = self._sight.story.waits
        if events and not self.behind:
            self._sight.take(events=self._feed.events())
        if events and self._sight.over:
            self._screen.draw()
        elif events and waited and self._screen.is_mounted:
            self._screen.answered()
        else:
            self._screen.changed()

    def _gone(self) -> None:
        """The connection is lost. Where nobody trains this run any more, what it left is all there is."""
        self._deafen()
        if self._feed.reconnect():
            self._attend()
            return
        self._lost = True
        if self.read():
            self._settle()

    def _come_again(self, full: NoRoom) -> None:
        """Who lost a place, by not reading for a while, takes the next one that is free."""
        now = time.monotonic()
        self._crowded_since = self._crowded_since or now
        if self._feed.status is None or now - self._crowded_since > PATIENCE:
            self._give_up(str(full))
            return
        self._deafen()
        self._screen.set_timer(AGAIN, self._gone)

    def _settle(self) -> None:
        if self._sight.story.started is None and self._feed.failed:
            self._give_up(self._feed.failed)
            return
        self._sight.settle()
        self._screen.draw()

    def _give_up(self, error: str) -> None:
        self._deafen()
        self._screen.give_up(error)

    def _deafen(self) -> None:
        if (number := self._feed.fileno()) >= 0:
            asyncio.get_running_loop().remove_reader(number)


def _raise(error: Exception) -> None:
    raise error
