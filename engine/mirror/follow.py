"""Following a run into its targets until it is over: what ends it, and what waits. No torch."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.mirror import facts
from trainconsole.engine.mirror.facts import Facts
from trainconsole.engine.mirror.items import Target
from trainconsole.engine.mirror.source import Source
from trainconsole.engine.protocol.events import AnyEvent, Failed, Finished, Interrupted
from trainconsole.engine.record.lock import is_held

POLL = 1.0
"""Seconds between two looks at a run that trains."""
GRACE = 5.0
"""Seconds without a word after which a run is over that nobody has the lock of, and that has no end."""
PIECE = 64
"""Items of a target that are written before the next one has its turn."""

Sleep = Callable[[float], None]


class Mirrored(Struct, frozen=True, kw_only=True):
    """How far it came: the newest step, and the newest event."""

    steps: int
    last: AnyEvent | None

    @property
    def ending(self) -> str:
        """In a word or two; "" for a run that has no end."""
        match self.last:
            case Finished(reason=reason):
                return reason
            case Interrupted():
                return "interrupted"
            case Failed():
                return "failed"
        return ""


class _Mirror(Struct):
    source: Source
    target: Target

    def advance(self) -> bool:
        """Write what is new; whether there was anything."""
        count = 0
        for count, item in enumerate(self.source.read(), start=1):
            self.target.write(item)
            if count % PIECE == 0:
                self.target.flush()
        self.target.flush()
        return count > 0


def mirror(
    run: Path,
    openers: Sequence[Callable[[Facts], Target]],
    *,
    follows: bool = True,
    sleep: Sleep = time.sleep,
) -> Mirrored:
    """Write `run` to the targets until it is over, or as far as it is. Raises UserError, and OSError."""
    about = _begun(run, follows, sleep)
    with ExitStack() as stack:
        mirrors = []
        for opens in openers:
            target = opens(about)
            stack.callback(target.close)
            mirrors.append(_Mirror(Source(run, target.done), target))
        _follow(run, mirrors, follows, sleep)
        source = mirrors[0].source
        return Mirrored(steps=source.steps, last=source.last)


def _follow(run: Path, mirrors: Sequence[_Mirror], follows: bool, sleep: Sleep) -> None:
    heard = time.monotonic()
    while True:
        # Asked before reading: what a host wrote before it left is there to be read.
        held = is_held(run)
        if sum(each.advance() for each in mirrors):
            heard = time.monotonic()
        ended = isinstance(mirrors[0].source.last, Finished | Interrupted | Failed)
        if not follows or (not held and (ended or time.monotonic() > heard + GRACE)):
            return
        if not run.is_dir():
            raise UserError(
                f"{run} is gone: moved or removed in mid-run; its mirror has what was read before"
            )
        sleep(POLL)


def _begun(run: Path, follows: bool, sleep: Sleep) -> Facts:
    """What is known of the run, once its training begins."""
    began = time.monotonic()
    while (about := facts.read(run)) is None:
        if not follows:
            raise UserError(f"{run}: training has not begun, so there is nothing to mirror")
        if not run.is_dir():
            raise UserError(f"{run} is gone: its start failed")
        if not is_held(run) and time.monotonic() > began + GRACE:
            raise UserError(
                f"{run}: training has not begun, and nobody is about to begin it\n"
                f"'trainconsole resume {run.name}' begins it"
            )
        sleep(POLL)
    return about
