"""The curves of a run, each described in one place: what it is called, drawn like and compared with."""

from dataclasses import dataclass

from trainconsole.tui import theme


@dataclass(frozen=True)
class CurveKind:
    """A column of the record as a curve.

    `title` is "" where it is the run's own metric. A `small` one has a place in the row below; one that is
    not `always` is shown where the record has it. `train` is what the legend calls its line. With
    `validated` the results of validation stand beside it, with `ahead` the values to come are known, and
    where it is not `smoothed` its line is the record itself. With `bad` a step without a number is marked.
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
