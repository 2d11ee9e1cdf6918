"""What a checkpoint can keep: tensors, plain values, and dicts and sequences of them; all else is refused.

`torch.load(..., weights_only=True)` reads nothing else. Numbers of NumPy become Python's; a deque and a set
are written as what they hold, and are themselves again when they are read.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainconsole.engine.common.errors import UserError

PLAIN = (str, int, float, bool, complex, bytes, type(None), torch.dtype, torch.device)
SEQUENCES = (list, tuple, torch.Size, deque, set)
KIND = "__kind__"


class NotStorable(UserError):
    """A state holds what a checkpoint cannot keep; says where, and what it is."""


def plain(value: Any) -> Any:
    """A value that is no tensor and no container, as a checkpoint keeps it. Raises NotStorable."""
    if type(value) in PLAIN:
        return value
    number = value.item() if isinstance(value, np.generic) else value
    if type(number) in PLAIN:
        return number
    if isinstance(number, str):
        return str.__str__(number)
    for kind in (int, float):
        if isinstance(number, kind):
            return kind(number)
    raise NotStorable(_said(value))


def key(value: Any) -> Any:
    """A key of a dict, as a checkpoint keeps it. Raises NotStorable."""
    return tuple(plain(part) for part in value) if type(value) is tuple else plain(value)


def is_sequence(value: Any) -> bool:
    return type(value) in SEQUENCES


def rebuilt(like: Any, items: list[Any]) -> Any:
    """`items` as a deque or a set where `like` is one, else as they are: there is one kind of list."""
    if type(like) is deque:
        return deque(items, like.maxlen)
    return set(items) if type(like) is set else items


def written(state: Any) -> Any:
    """`state` as it goes into a file. Raises NotStorable."""
    try:
        return _written(state)
    except NotStorable:
        check(state)
        raise


def _written(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state
    if isinstance(state, dict):
        return {key(name): _written(value) for name, value in state.items()}
    if type(state) is deque:
        return {KIND: "deque", "items": [_written(value) for value in state], "maxlen": state.maxlen}
    if type(state) is set:
        return {KIND: "set", "items": [plain(value) for value in state]}
    return [_written(value) for value in state] if is_sequence(state) else plain(state)


def read(state: Any) -> Any:
    """What `written` made of a state, undone."""
    if isinstance(state, dict):
        if KIND in state:
            items = [read(value) for value in state["items"]]
            return deque(items, state["maxlen"]) if state[KIND] == "deque" else set(items)
        return {name: read(value) for name, value in state.items()}
    return [read(value) for value in state] if isinstance(state, list) else state


def check(state: Any) -> None:
    """Raises NotStorable that says where in `state` is what cannot be kept."""
    for where, value in _parts(state, ""):
        try:
            plain(value)
        except NotStorable as error:
            raise NotStorable(
                f"{where or 'the state'} is {error}, which a checkpoint cannot keep;"
                " tensors, numbers, text, and lists and dicts of them can be kept"
            ) from None


def _parts(state: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Each key and each value that is neither tensor nor container, with where it is."""
    if isinstance(state, dict):
        for name, value in state.items():
            inner = f"{where}[{name!r}]" if where else str(name)
            yield from ((f"a key of {where or 'the state'}", part) for part in _key_parts(name))
            yield from _parts(value, inner)
    elif is_sequence(state):
        for index, value in enumerate(state):
            yield from _parts(value, f"{where}[{index}]")
    elif not isinstance(state, Tensor):
        yield where, state


def _key_parts(name: Any) -> tuple[Any, ...]:
    return name if type(name) is tuple else (name,)


def _said(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "an array of NumPy (keep a tensor in its place)"
    if callable(value) and hasattr(value, "__name__"):
        return f"a function ({value.__name__})"
    return f"a {type(value).__name__}"
