"""What a part of a script holds, kept so that it can be put back: the same objects, with what was in them."""

import random
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor, optim

from trainconsole.engine.checkpoints.parts import load_optimizer
from trainconsole.engine.own_loop.data_order import Loader
from trainconsole.engine.verify.digests import digest

PutBack = Callable[[], Any]
"""Puts back what was kept, and returns it."""

NUMBERS = (bool, int, float, complex, str, bytes, type(None))
CONTAINERS = (list, dict, set, deque, tuple)
ITEMS = 20_000
"""A container with more is looked at part by part."""


def generator_state(value: Any) -> Any:
    """Of a random generator that is not one of the global ones; None of anything else."""
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return value.get_state(legacy=False)
    if isinstance(value, random.Random):
        return value.getstate()
    return value.get_state() if isinstance(value, torch.Generator) else None


def has_state(value: Any) -> bool:
    """Whether it could be registered as it is."""
    kind = type(value)
    return callable(getattr(kind, "state_dict", None)) and callable(getattr(kind, "load_state_dict", None))


def is_simple(value: Any, room: int = ITEMS) -> bool:
    """Whether it is known through and through: tensors, arrays, numbers and text, and containers of them."""
    if isinstance(value, CONTAINERS):
        parts = [*value, *value.values()] if isinstance(value, dict) else list(value)
        return len(parts) < room and all(is_simple(part, room - len(parts)) for part in parts)
    return isinstance(value, (*NUMBERS, Tensor, np.ndarray, np.generic, count))


def state_of(value: Any) -> Any:
    """What tells whether it has moved."""
    if (state := generator_state(value)) is not None:
        return state
    if isinstance(value, count):
        return repr(value)
    return value.state_dict() if has_state(value) else value


def moved_from(value: Any) -> str:
    """The digest of that."""
    return digest(state_of(value))


def kept(value: Any) -> PutBack:
    """Raises where it cannot be copied."""
    if (state := generator_state(value)) is not None:
        return partial(_set_generator, value, deepcopy(state))
    if has_state(value):
        return partial(_load, value, deepcopy(value.state_dict()))
    if isinstance(value, count):
        return partial(deepcopy, deepcopy(value))
    if isinstance(value, Tensor):
        return partial(_copy_in, value, value.detach().clone())
    if isinstance(value, np.ndarray):
        return partial(_copy_in, value, value.copy())
    if isinstance(value, dict):
        return partial(_fill, value, {name: kept(part) for name, part in value.items()})
    if isinstance(value, CONTAINERS):
        return partial(_refill, value, [kept(part) for part in value])
    return lambda: value


def _set_generator(value: Any, state: Any) -> Any:
    if isinstance(value, np.random.Generator):
        value.bit_generator.state = state
    elif isinstance(value, random.Random):
        value.setstate(state)
    else:
        value.set_state(state)
    return value


def _load(value: Any, state: Any) -> Any:
    if isinstance(value, optim.Optimizer):
        load_optimizer(value, state)
    else:
        value.load_state_dict(deepcopy(state))
    return value


def _copy_in(value: Any, copy: Any) -> Any:
    if isinstance(value, Tensor):
        value.detach().copy_(copy)
    else:
        np.copyto(value, copy)
    return value


def _fill(value: dict[Any, Any], parts: dict[Any, PutBack]) -> Any:
    items = {name: part() for name, part in parts.items()}
    value.clear()
    value.update(items)
    return value


def _refill(value: Any, parts: list[PutBack]) -> Any:
    """A tuple stays the same one; what is in it may have changed."""
    items = [part() for part in parts]
    if isinstance(value, set):
        value.clear()
        value.update(items)
    elif not isinstance(value, tuple):
        value.clear()
        value.extend(items)
    return value


def own_generators(loader: Loader) -> list[str]:
    """The attributes of its dataset, and of what that keeps, which are generators."""
    found, left = [], [("", loader.dataset, 3)]
    while left:
        name, value, depth = left.pop()
        for key, part in getattr(value, "__dict__", {}).items():
            path = f"{name}.{key}".lstrip(".")
            if generator_state(part) is not None:
                found.append(path)
            elif depth and not isinstance(part, NUMBERS):
                left.append((path, part, depth - 1))
    return found
