"""What a training state must hold to be one: a checkpoint that lacks it is told as such."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.checkpoints.checkpoint import State
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.events import BranchNumber, Count


class _Position(Struct):
    step: Count
    epoch: Count
    consumed: Count


class _Form(Struct):
    """The parts that are read by name; what is in them is for who takes them."""

    model: dict[str, Any]
    config: dict[str, Any]
    optimizer: dict[str, Any]
    plan: dict[str, Any]
    patience: dict[str, Any]
    position: _Position
    lineage: list[tuple[Count, str]]
    lineage_ids: list[str]
    best: dict[str, Any] | None
    branch: BranchNumber
    seconds: Annotated[float, Meta(ge=0)]
    best_file: str = ""


def load(path: Path) -> State:
    """The training state in the checkpoint at `path`. Raises UserError where it holds none."""
    state = checkpoint.load(path)
    if wrong := fault(state):
        raise UserError(f"{path}: {wrong}")
    return state


def fault(state: Mapping[str, Any]) -> str:
    """What `state` lacks to be one, in a few words; "" where that is nothing."""
    try:
        found = msgspec.convert(state, _Form)
    except (msgspec.ValidationError, RecursionError) as error:
        return f"no training state: {error}"
    if len(found.lineage) != len(found.lineage_ids):
        return "no training state: its commands and their names are not as many"
    return ""
