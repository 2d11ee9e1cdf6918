"""The curves of a run, each described in one place: what it is called, drawn like and compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from trainconsole.tui import theme
from trainconsole.tui.state.own_numbers import name_of
from trainconsole.tui.text.format import harmless


@dataclass(frozen=True)
class CurveKind:
    """A column of the record as a curve.

    `title` is "" where it is the run's own metric. A `small` one has a place in the row below; one that is
    not `always` is shown where the record has it. `train` is what the legend calls its line. With
    `validated` the results of validation stand beside it, with `ahead` the values to come are known, and
    where it is not `smoothed` its line is the record itself. With `bad` a step without a number is marked.
    One that is `own` is a number that the loop logs; where there are few, each is a point.
    """

    column: str
    title: str
    train: str = ""
    small: bool = False
    always: bool = True
    smoothed: bool = True
    validated: bool = False
    ahead: bool = False
    bad: bool = False
    own: bool = False
    line: str = theme.TRAIN
    raw: str = theme.TRAIN_RAW


CURVES = {
    kind.column: kind
    for kind in (
        CurveKind("loss", "loss", "train", validated=True, bad=True),
        CurveKind("metric", "", "train", validated=True),
        CurveKind("lr", "learning rate", "so far", small=True, smoothed=False, ahead=True, line=theme.RATE),
        CurveKind(
            "grad_norm",
            "gradient norm",
            small=True,
            always=False,
            line=theme.GRADIENT,
            raw=theme.GRADIENT_RAW,
        ),
    )
}
MAIN = tuple(kind.column for kind in CURVES.values() if not kind.small)
SMALL = tuple(kind.column for kind in CURVES.values() if kind.small)
MOST = len(CURVES)
"""Curves that have a place at one time."""


def kind_of(quantity: str) -> CurveKind:
    """Of a column of the record, or of an own number by its key."""
    return CURVES.get(quantity) or _own(quantity)


@lru_cache(512)
def _own(key: str) -> CurveKind:
    return CurveKind(key, harmless(name_of(key)), bad=True, own=True, line=theme.OWN, raw=theme.OWN_RAW)


def placed(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which of at most `MOST` curves are large, and which share the row below: those that are small, and what
    has no room above. Without a large one the others are."""
    large = [name for name in names if not kind_of(name).small] or [*names]
    above = large[: len(MAIN)]
    return tuple(above), tuple(name for name in names if name not in above)
