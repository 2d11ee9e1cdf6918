"""What is read of a run, in the order in which it is to be written elsewhere. No torch."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from trainconsole.engine.protocol.events import AnyEvent, CommandApplied
from trainconsole.engine.record.metric_rows import Rows


class Done(Struct, frozen=True, kw_only=True):
    """What a target holds already: the first `rows` rows, the events up to number `seq`, and of each own
    number so many records."""

    rows: int = 0
    seq: int = -1
    own: dict[str, int] = {}


class Steps(Struct, frozen=True, kw_only=True, eq=False):
    """Rows (n,) of one branch, the seconds since 1970 of each (n,), and how many came before.

    A stretch is what was trained without taking anything back, called by its first branch. `again` are those
    that had been abandoned and are in force again.
    """

    rows: Rows
    times: npt.NDArray[np.float64]
    first: int
    stretch: int
    again: bool = False


class Happened(Struct, frozen=True, kw_only=True):
    """`beside` are the commands in force that were applied at its step before it."""

    event: AnyEvent
    stretch: int
    beside: tuple[CommandApplied, ...] = ()
    again: bool = False


class Turned(Struct, frozen=True, kw_only=True):
    """A new branch: what was in force beyond step `since` is so no more. It goes on after step `step` of
    branch `parent`; None where the record does not tell."""

    branch: int
    parent: int | None
    since: int
    step: int
    time: float
    stretch: int


class OwnNumbers(Struct, frozen=True, kw_only=True, eq=False):
    """Records (n,) of the number `name`, all of one branch, and how many there were with each (n,)."""

    name: str
    records: Rows
    counts: npt.NDArray[np.int64]
    time: float
    stretch: int
    again: bool = False


Item = Steps | Happened | Turned | OwnNumbers


class Target(Protocol):
    """Where a run is written to. Raises UserError, and OSError, where it cannot be."""

    done: Done

    def write(self, item: Item) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...
