"""What a checkpoint holds, entry by entry; one that lacks what must be there is told as such."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict, cast

import msgspec
from msgspec import Meta
from torch import Tensor

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.checkpoints.checkpoint import State
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.events import BranchNumber, Count


class Position(TypedDict):
    """`consumed` rows of the epoch were trained on."""

    step: Count
    epoch: Count
    consumed: Count


class PlaceState(TypedDict):
    """Where a run stands; each part but the lineage is for who takes it (training/position_state.py)."""

    config: dict[str, Any]
    plan: dict[str, Any]
    position: Position
    best: dict[str, Any] | None
    patience: dict[str, Any]
    withheld: NotRequired[dict[str, Any] | None]
    lineage: list[tuple[Count, str]]
    lineage_ids: list[str]


class Weights(TypedDict):
    """The part that a test of weights needs; `loss` is the state of a loss that has weights."""

    model: State
    loss: NotRequired[State]


class TrainingState(PlaceState, Weights):
    """What Trainer.state_dict() gives: all that the rest of a run depends on. `epoch_means` are
    Means.stored(); one of old has `epoch_sums`."""

    format: int
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    epoch_means: NotRequired[list[float]]
    random: State
    classes: NotRequired[list[str]]
    scaling: NotRequired[dict[str, Any]]
    target_scaling: NotRequired[dict[str, Any]]


class Placed(TypedDict):
    """Where in the record a state belongs: its branch, the seconds of training until then, and the file of
    the best that it knows, "" where it knows none or is that best."""

    branch: BranchNumber
    seconds: Annotated[float, Meta(ge=0)]
    best_file: NotRequired[str]


class Checkpoint(TrainingState, Placed):
    """What a file of checkpoints/ holds, and a snapshot that `undo` goes back to."""


class InitialWeights(TypedDict):
    """What a run keeps of the one whose weights it begins with: `seen` are the hashes of the rows that they
    were trained on, int64 (N,), `source` is the name of that run."""

    format: int
    model: State
    classes: list[str]
    scaling: dict[str, Any]
    target_scaling: dict[str, Any]
    source: str
    seen: Tensor


def load(path: Path) -> Checkpoint:
    """The training state in the checkpoint at `path`. Raises UserError where it holds none."""
    state = checkpoint.load(path)
    if wrong := fault(state):
        raise UserError(f"{path}: {wrong}")
    return cast(Checkpoint, state)


def fault(state: Mapping[str, Any]) -> str:
    """What `state` lacks to be one, in a few words; "" where that is nothing."""
    try:
        found = msgspec.convert(state, Checkpoint)
    except (msgspec.ValidationError, RecursionError) as error:
        return f"no training state: {error}"
    if len(found["lineage"]) != len(found["lineage_ids"]):
        return "no training state: its commands and their names are not as many"
    return ""
