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


class Led(TypedDict):
    """Where a run stands, and the commands that led there."""

    position: Position
    best: dict[str, Any] | None
    withheld: NotRequired[dict[str, Any] | None]
    lineage: list[tuple[Count, str]]
    lineage_ids: list[str]


class PlaceState(Led):
    """With what is planned; each part is for who takes it (training/position_state.py)."""

    config: dict[str, Any]
    plan: dict[str, Any]
    patience: dict[str, Any]


class Weights(TypedDict):
    """The part that a test of weights needs; `loss` is the state of a loss that has weights."""

    model: State
    loss: NotRequired[State]


class RunState(Led, Weights):
    """What every state of a run holds, whoever drove its steps."""

    format: int
    random: State


class TrainingState(PlaceState, RunState):
    """What Trainer.state_dict() gives: all that the rest of a run depends on. `epoch_means` are
    Means.stored(); one of old has `epoch_sums`."""

    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    epoch_means: NotRequired[list[float]]
    classes: NotRequired[list[str]]
    scaling: NotRequired[dict[str, Any]]
    target_scaling: NotRequired[dict[str, Any]]


class Placed(TypedDict):
    """Where in the record a state belongs: its branch, the seconds of training until then, and the file of
    the best that it knows, "" where it knows none or is that best."""

    branch: BranchNumber
    seconds: Annotated[float, Meta(ge=0)]
    best_file: NotRequired[str]


class Kept(RunState, Placed):
    """What a file of checkpoints/ holds, and a snapshot that `undo` goes back to, as far as it is always
    there."""


class Checkpoint(TrainingState, Placed):
    """One of the built-in trainer."""


class LoopState(RunState):
    """What a person's own loop depends on: `objects` is what else than modules was registered, by name;
    `steering` is what commands have set."""

    objects: dict[str, Any]
    steering: dict[str, Any]


class LoopCheckpoint(LoopState, Placed):
    """One of a person's own loop."""


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


def load(path: Path) -> Kept:
    """The training state in the checkpoint at `path`. Raises UserError where it holds none."""
    state = checkpoint.load(path)
    if wrong := fault(state):
        raise UserError(f"{path}: {wrong}")
    return cast(Kept, state)


def fault(state: Mapping[str, Any]) -> str:
    """What `state` lacks to be one, in a few words; "" where that is nothing."""
    try:
        found: Kept = msgspec.convert(state, LoopCheckpoint if "objects" in state else Checkpoint)
    except (msgspec.ValidationError, RecursionError) as error:
        return f"no training state: {error}"
    if len(found["lineage"]) != len(found["lineage_ids"]):
        return "no training state: its commands and their names are not as many"
    return ""


def form(state: Mapping[str, Any]) -> str:
    """What decides which kinds of values a state holds: the optimizer in it."""
    return str(state["steering"] if "steering" in state else state["config"]["optimizer"])
