"""Parts of a training state: the best that it knows, the lineage that led to it, what the optimizer keeps."""

from itertools import chain
from math import isfinite
from typing import Any

import msgspec
from torch import Tensor, nn, optim

from trainconsole.engine.checkpoints.checkpoint import State, copy_state
from trainconsole.engine.checkpoints.schema import Led
from trainconsole.engine.protocol.events import Best, Entry
from trainconsole.engine.tensors import storable


def entries(state: Led) -> list[Entry]:
    """The lineage in a state, with ids."""
    return [
        (step, command, name)
        for (step, command), name in zip(state["lineage"], state["lineage_ids"], strict=True)
    ]


def known_best(state: Led) -> Best | None:
    """The best epoch that a state knows; one that is not finite, as versions of old kept, is none."""
    best = msgspec.convert(state["best"], Best | None)
    return best if best is not None and best.value is not None and isfinite(best.value) else None


class Misfit(ValueError):
    """A state is none of this run's model; says where they differ."""


def check_fit(model: nn.Module, weights: State) -> None:
    """Raises Misfit that names the first entry that is not in `model`, or in `weights`, in that shape."""
    own = model.state_dict()
    for name in sorted({*own, *weights}):
        known, given = (_shape(part[name]) if name in part else "nothing" for part in (own, weights))
        if known != given:
            raise Misfit(f"its weights are not of this model: {name!r} is {given} there, and {known} here")


def _shape(value: Any) -> str:
    return f"of shape {tuple(value.shape)}" if isinstance(value, Tensor) else "a state of its own"


def load_optimizer(optimizer: optim.Optimizer, state: State) -> None:
    """Bring back what `optimizer.state_dict()` was, to the bit. Raises as torch does; then nothing changed.

    torch casts what it keeps to the type of the parameter, takes a text for its letters and forgets the
    length of a deque.
    """
    # Copied: load_state_dict keeps the very tensors it is given, and the next step would change them.
    saved = copy_state(state)
    optimizer.load_state_dict(saved)
    for group in optimizer.param_groups:
        # A checkpoint has one kind of sequence.
        group.update({key: tuple(value) for key, value in group.items() if _was_tuple(optimizer, key, value)})
    numbers = chain.from_iterable(group["params"] for group in saved["param_groups"])
    parameters = chain.from_iterable(group["params"] for group in optimizer.param_groups)
    for number, parameter in zip(numbers, parameters, strict=True):
        if number in saved["state"]:
            optimizer.state[parameter] = _as_saved(saved["state"][number], optimizer.state[parameter])


def _was_tuple(optimizer: optim.Optimizer, key: str, value: Any) -> bool:
    return isinstance(value, list) and isinstance(optimizer.defaults.get(key), tuple)


def _as_saved(saved: Any, loaded: Any) -> Any:
    if isinstance(saved, Tensor):
        return loaded if loaded.dtype == saved.dtype else saved.to(loaded.device)
    if isinstance(saved, dict):
        return {key: _as_saved(value, loaded[key]) for key, value in saved.items()}
    if storable.is_sequence(saved) and not isinstance(saved, set):
        pairs = zip(saved, loaded, strict=True)
        return storable.rebuilt(saved, [_as_saved(value, there) for value, there in pairs])
    return saved
