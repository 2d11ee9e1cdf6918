"""What would keep a run from being saved, found before its first step.

A checkpoint of the form of the run is written and read back; it has one value of each tensor, so that it
costs the same for a large model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.tensors import storable
from trainconsole.engine.tensors.digest import weights_sha256


def try_saving(directory: Path, state: Mapping[str, Any]) -> None:
    """Raises UserError where a checkpoint of `state` could not be written or read back, and OSError."""
    storable.check(state)
    thin = thinned(state)
    try:
        weights_sha256(thin["model"])
    except Exception as error:
        raise UserError(f"the weights cannot be saved: {type(error).__name__}: {error}") from None
    checkpoint.attempt(directory, thin)


def thinned(state: Any) -> Any:
    """`state` with one value of each tensor."""
    if type(state) in (Tensor, torch.nn.Parameter):
        return state.detach().flatten()[:1].clone() if state.layout == torch.strided else state
    if isinstance(state, dict):
        return {key: thinned(value) for key, value in state.items()}
    if storable.is_sequence(state):
        return storable.rebuilt(state, [thinned(value) for value in state])
    return state
