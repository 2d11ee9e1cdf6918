"""Where two passes over the same updates part. No torch."""

from typing import Literal

from msgspec import Struct

from trainconsole.engine.verify.record import Digests, Moment, Pass

What = Literal["start", "batches", "logged", "rates", "states", "length"]
RANDOM = "random."
"""Before the name of a generator among the states."""


class Difference(Struct, frozen=True, kw_only=True):
    """At `step`, the number of an update or of the state that both began with, `names` are not the same.
    `what` comes first of what is not; the rest follows from it."""

    step: int
    what: What
    names: tuple[str, ...] = ()


def difference(one: Pass, other: Pass, at: int) -> Difference | None:
    """The first; None where there is none. `at` is the step of the state that both began with."""
    if names := differing(one.start, other.start):
        return Difference(step=at, what="start", names=names)
    for mine, theirs in zip(one.moments, other.moments, strict=False):
        if (found := _parted(mine, theirs)) is not None:
            return found
    if len(one.moments) != len(other.moments):
        last = min(len(one.moments), len(other.moments))
        return Difference(step=at + last + 1, what="length")
    return None


def _parted(one: Moment, other: Moment) -> Difference | None:
    """In the order in which one leads to the other: the batch, the loss, the rate, the weights."""
    if one.batches != other.batches:
        return Difference(step=one.step, what="batches")
    for what in ("logged", "rates", "states"):
        if names := differing(getattr(one, what), getattr(other, what)):
            return Difference(step=one.step, what=what, names=names)
    return None


def only_logged(one: Pass, other: Pass) -> bool:
    """Whether training is the same, and no more than what is logged differs."""
    return len(one.moments) == len(other.moments) and all(
        (mine.batches, mine.rates, mine.states) == (theirs.batches, theirs.rates, theirs.states)
        for mine, theirs in zip(one.moments, other.moments, strict=True)
    )


def differing(one: Digests, other: Digests) -> tuple[str, ...]:
    """The names whose digests are not the same, those of states before those of generators."""
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return tuple(sorted(names, key=lambda name: name.startswith(RANDOM)))
