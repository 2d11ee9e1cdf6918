"""What was asked of a run and waits: the order it is served in, and how much at one boundary. No torch."""

import queue
import time
from collections import deque

from trainconsole.engine.protocol.commands import Interrupt, Request
from trainconsole.engine.protocol.grammar import tidy

MOST = 64
"""Commands of one boundary; after these a step comes first."""

LONGEST = 0.05
"""Seconds that one boundary serves commands, what it takes to bring them to the disk included."""

REST = 1.0
"""Seconds that training has to itself, at most, after a boundary that was cut short."""

CONTROL = ("pause", "resume", "next", "stop")
"""Verbs that do not wait behind commands that are held up, only behind each other."""

Asked = Request | Interrupt


Inbox = queue.SimpleQueue[Asked]


class Waiting:
    """Used by the training thread. Commands come out in the order received, MOST of them at a boundary.

    After a boundary that was cut short, training has as long to itself as that took: however fast commands
    come, half of the time is spent on steps.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._number = self._known = 0
        self._commands: deque[tuple[int, Asked]] = deque()
        self._control: deque[tuple[int, Asked]] = deque()
        self._served = self._hurried = 0
        self._began = self._rests_until = 0.0

    def arrived(self) -> bool:
        """Take in what has come; whether anything waits."""
        while not self._inbox.empty():
            self._add(self._inbox.get())
        return bool(self._commands or self._control)

    def wait(self) -> None:
        """Until something has come that `next` did not see: `turn` may have taken it in meanwhile."""
        if self._number == self._known:
            self._add(self._inbox.get())

    def next(self, *, control: bool = False, steps: bool = True) -> Asked | None:
        """The next to be served at this boundary; with `control` no other kind; None where a step is due.

        Without `steps`, none can be: there is no bound.
        """
        any_there = self.arrived()
        self._known = self._number
        if not any_there:
            return None
        if not self._served and not self._hurried:
            self._began = time.monotonic()
        if control or (steps and self._is_full()):
            return self._hurry()
        self._served += 1
        return self._pop(self._first())

    def turn(self) -> None:
        """What was served is on the disk, and a step comes next."""
        if self._served or self._hurried:
            now = time.monotonic()
            spent = now - self._began
            if (self._served >= MOST or spent >= LONGEST) and self.arrived():
                self._rests_until = now + min(spent, REST)
            self._served = self._hurried = 0

    def put_back(self, asked: Asked) -> None:
        """It was not its turn."""
        self._line(asked).appendleft((-1, asked))

    def ends(self) -> bool:
        """Whether a signal or `stop last` waits."""
        return self.arrived() and any(_is_end(asked) for _, asked in self._control)

    def take_end(self) -> Asked:
        """The first of those, ahead of what came before it."""
        found = next(entry for entry in self._control if _is_end(entry[1]))
        self._control.remove(found)
        return found[1]

    def left(self) -> list[Request]:
        """The commands that were not served."""
        self.arrived()
        everything = sorted([*self._commands, *self._control], key=lambda entry: entry[0])
        return [asked for _, asked in everything if isinstance(asked, Request)]

    def _add(self, asked: Asked) -> None:
        self._number += 1
        self._line(asked).append((self._number, asked))

    def _line(self, asked: Asked) -> deque[tuple[int, Asked]]:
        is_control = isinstance(asked, Interrupt) or asked.command.strip().partition(" ")[0] in CONTROL
        return self._control if is_control else self._commands

    def _first(self) -> deque[tuple[int, Asked]]:
        """The line whose first came first."""
        if not self._commands or not self._control:
            return self._commands or self._control
        return min(self._commands, self._control, key=lambda line: line[0][0])

    def _is_full(self) -> bool:
        now = time.monotonic()
        return self._served >= MOST or now - self._began >= LONGEST or now < self._rests_until

    def _hurry(self) -> Asked | None:
        if not self._control or self._hurried >= MOST:
            return None
        self._hurried += 1
        return self._pop(self._control)

    @staticmethod
    def _pop(line: deque[tuple[int, Asked]]) -> Asked:
        return line.popleft()[1]


def _is_end(asked: Asked) -> bool:
    return isinstance(asked, Interrupt) or tidy(asked.command) in ("stop", "stop last")
