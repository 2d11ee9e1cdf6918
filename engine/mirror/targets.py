"""--to WHERE: which kinds there are, and what opens them. No torch."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.mirror.facts import Facts
from trainconsole.engine.mirror.items import Target


class Where(Struct, frozen=True):
    """`kind` of KINDS, and what stands after its colon, "" for nothing."""

    kind: str
    place: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}" if self.place else self.kind


def where(text: str) -> Where:
    """Raises UserError where `text` is none."""
    kind, colon, place = text.partition(":")
    if kind not in KINDS:
        raise UserError(f"--to {text}: to where? --to {' or '.join(HOW)}")
    if (colon and not place) or (kind == "tensorboard" and not place):
        raise UserError(f"--to {text}: it ends too early: --to {HOW[list(KINDS).index(kind)]}")
    return Where(kind, place)


def opened(to: Where, about: Facts) -> Target:
    """Raises UserError where its library is missing, or it cannot be written to."""
    return KINDS[to.kind](to.place, about)


def _tensorboard(place: str, about: Facts) -> Target:
    from trainconsole.engine.mirror.tools.to_tensorboard import TensorBoard

    return TensorBoard(Path(place).expanduser(), about)


def _wandb(place: str, about: Facts) -> Target:
    from trainconsole.engine.mirror.tools import to_wandb

    return to_wandb.opened(place, about)


def _mlflow(place: str, about: Facts) -> Target:
    from trainconsole.engine.mirror.tools import to_mlflow

    return to_mlflow.opened(place, about)


def _trackio(place: str, about: Facts) -> Target:
    from trainconsole.engine.mirror.tools import to_trackio

    return to_trackio.opened(place, about)


KINDS: dict[str, Callable[[str, Facts], Target]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
    "trackio": _trackio,
}
HOW = ("tensorboard:DIR", "wandb[:PROJECT]", "mlflow[:URI]", "trackio[:PROJECT]")
