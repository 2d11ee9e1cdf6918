"""Which passes over the same updates one process makes, and with what of the script put back by hand."""

from collections.abc import Generator, Iterable, Sequence

from msgspec import Struct

from trainconsole.engine.verify.comparing import difference
from trainconsole.engine.verify.record import Pass

MOST_TRIALS = 24


class Again(Struct, frozen=True):
    """A pass that is wanted: the names of what is put back before it. The first way back is an undo."""

    put_back: tuple[str, ...] = ()


class Undone(Struct, frozen=True):
    """What came of it: see Verification."""

    undone: Pass
    third: Pass | None = None
    needed: tuple[str, ...] = ()


def passes(first: Pass, moved: Sequence[str]) -> Generator[Again, Pass, Undone]:
    """Ask for passes, until it is known whether an undo is exact, and if not whether it would be with some of
    the `moved` parts put back: as few as suffice. `moved` is filled once the first pass has come."""
    undone = yield Again()
    if difference(first, undone, 0) is None:
        return Undone(undone)
    third = yield Again()
    needed: tuple[str, ...] = ()
    if moved and (yield from _is_exact(first, moved)):
        needed = yield from _fewest(first, tuple(moved))
    return Undone(undone, third, needed)


def _is_exact(first: Pass, put_back: Iterable[str]) -> Generator[Again, Pass, bool]:
    made = yield Again(tuple(put_back))
    return difference(first, made, 0) is None


def _fewest(first: Pass, parts: tuple[str, ...]) -> Generator[Again, Pass, tuple[str, ...]]:
    """Leaves out what is not needed: halves, quarters, ... then one by one."""
    size, trials = max(len(parts) // 2, 1), 0
    while trials < MOST_TRIALS and len(parts) > 1:
        at = 0
        while at < len(parts) and trials < MOST_TRIALS:
            rest = parts[:at] + parts[at + size :]
            trials += 1
            if rest and (yield from _is_exact(first, rest)):
                parts = rest
            else:
                at += size
        if size == 1:
            break
        size = max(size // 2, 1)
    return parts
