"""In the first process: the updates, the way back, the same updates again; then it is killed, as the next one
goes on from the state that they began with."""

import os
import signal
import sys
from collections.abc import Generator
from typing import NoReturn

from trainconsole.engine.own_loop.loop import OwnLoop
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.events import CommandRejected
from trainconsole.engine.record import run_directory
from trainconsole.engine.verify import record
from trainconsole.engine.verify.parts import Found, Search
from trainconsole.engine.verify.plan import Again, Undone, passes
from trainconsole.engine.verify.record import CHECKPOINT, WARM, Part, Pass, Verification
from trainconsole.engine.verify.verifier import no_more_data
from trainconsole.engine.verify.witness import Witnessed

ORDER = ("module", "optimizer", "state", "generator", "tensor")
"""What is kept longest where something can be left out."""


class Undoing(Witnessed):
    """`wanted` is the pass being made, None until the first one is whole."""

    def __init__(self, loop: OwnLoop, asked: int) -> None:
        super().__init__(loop)
        self._asked = asked
        self._first: Pass | None = None
        self._found: dict[str, Found] = {}
        self._moved: list[str] = []
        self._held: set[str] = set()
        self._runs = self._over = self._cut = False
        self._goes_back = ""
        self._moves = 0
        self._made: list[Pass] = []
        self._wanted: Again | None = None
        self._plan: Generator[Again, Pass, Undone] | None = None

    # --- boundaries ---

    def before(self) -> None:
        self._goes_back, self._moves = "", self._loop.moves
        if not self._runs:
            if self._is_ready:
                self._open.travel.before_change()
                self._ask(f"checkpoint {CHECKPOINT}")
        elif self._over or len(self._witness.moments) >= self._most:
            self._next_pass()

    def after(self) -> None:
        if self._goes_back and self._loop.moves == self._moves:
            self._finish(refused=self._why_refused())
        elif not self._runs and self._is_ready:
            self._runs = True
            self._found = Search(self._loop.registered).found
            self._held = set(self._witness.given)
            self._witness.begin()
        elif self._goes_back or (self._wanted and not self._witness.moments and not self._witness.batches):
            self._arrive()

    def data_end(self) -> bool:
        """No more updates come: those that were made are enough."""
        if not (self._runs and no_more_data(self._loop)):
            return False
        if self._first is None and not self._witness.moments:
            # The state was that of the very end: the next boundary gives another.
            self._runs = False
            return False
        self._over = True
        self._cut |= self._first is None
        return True

    def left(self) -> None:
        made = self._witness.taken()
        if self._first is None:
            why = f"the script left its loop after {len(made.moments)} of them" if self._runs else ""
            self._finish(refused=why or f"the script made no more than {self._loop.step} updates")
        if not self._made and not made.moments:
            self._finish(refused="the script left its loop on the way back")
        if not self._made:
            # As far as both came.
            self._made, self._cut = [made], True
            self._first = Pass(start=self._first.start, moments=self._first.moments[: len(made.moments)])
        undone, *more = self._made
        self._finish(Undone(undone, more[0] if more else None))

    @property
    def _is_ready(self) -> bool:
        """Right after an update: nothing is under way that no state knows of."""
        return self._loop.step >= WARM and not self._witness.batches

    @property
    def _most(self) -> int:
        return len(self._first.moments) if self._first is not None else self._asked

    # --- the way back ---

    def _ask(self, command: str) -> None:
        self._open.inbox.put(Request(id=f"verify-{self._loop.moves}", origin="verify", command=command))

    def _next_pass(self) -> None:
        """A pass is whole: go back for the next, or be done."""
        made, self._over = self._witness.taken(), False
        try:
            if self._plan is None:
                self._first = made
                self._plan = passes(made, self._moved)
                self._wanted = next(self._plan)
                self._goes_back = "undo"
            else:
                self._made.append(made)
                self._wanted = self._plan.send(made)
                self._goes_back = f"rewind {CHECKPOINT}"
        except StopIteration as done:
            self._finish(done.value)
        self._ask(self._goes_back)

    def _arrive(self) -> None:
        """Here, or further on the way: the script may be doing what it does at the end of an epoch."""
        assert self._wanted is not None
        if not self._wanted.put_back:
            self._look_what_moved()
        for name in self._wanted.put_back:
            self._found[name].put_back()
        self._witness.begin()

    def _look_what_moved(self) -> None:
        """Since the state was taken; what an undo brings back has not."""
        now = Search(self._loop.registered).found
        moved = {name for name, one in self._found.items() if name in now and now[name].digest != one.digest}
        self._moved[:] = sorted({*moved, *self._moved}, key=self._rank)

    def _rank(self, name: str) -> int:
        kind = self._found[name].kind
        return -ORDER.index(kind) if kind in ORDER else -len(ORDER)

    def _why_refused(self) -> str:
        events, _ = run_directory.read_events(self._open.report.recorder.path)
        found = [event.reason for event in events if isinstance(event, CommandRejected)]
        return found[-1] if found else "it was not done"

    # --- the end ---

    def _finish(self, done: Undone | None = None, refused: str = "") -> NoReturn:
        """Write what was seen; then this process is no more."""
        seen = Verification(
            asked=self._asked,
            first=self._first or self._witness.taken(),
            undone=done.undone if done is not None else None,
            third=done.third if done is not None else None,
            parts=tuple(self._part(name) for name in done.needed) if done is not None else (),
            sources=tuple(self._witness.sources.values()),
            unregistered=tuple(self._part(n) for n in self._moved if self._found[n].kind in ORDER[:3]),
            ahead=self._witness.ahead,
            refused=refused,
            cut=self._cut,
        )
        record.write(self._open.report.recorder.path, seen)
        sys.stdout.flush()
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)

    def _part(self, name: str) -> Part:
        found = self._found[name]
        held = found.digest in self._held
        return Part(name=name, kind=found.kind, type=type(found.value).__name__, held=held)
