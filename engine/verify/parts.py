"""What a script has besides what it registered: found by the variables of its modules and of the functions
that are running, and in what those hold."""

import ctypes
import gc
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from torch import Tensor, nn, optim
from torch.utils import data

from trainconsole.engine.own_loop.registered import Registered
from trainconsole.engine.tensors.copies import size_of
from trainconsole.engine.verify.kept import (
    CONTAINERS,
    NUMBERS,
    generator_state,
    has_state,
    is_simple,
    kept,
    moved_from,
)

DEEPEST, MOST, WIDEST = 6, 5000, 1000
"""How far down is looked, for how many, and in containers of how many parts."""
LARGEST = 512 * 2**20
"""Bytes of tensors that are copied; what is beyond is not looked at."""
NOT_THE_SCRIPTS = {"trainconsole", "torch", "numpy", *sys.stdlib_module_names} - {"__main__"}

Put = Callable[[Any], None]


class Found:
    """One of them: the digest of what it holds, and how that is put back; `kind` is what it is, in a word."""

    def __init__(self, value: Any, put: Put) -> None:
        self.kind = _kind(value)
        self.value = value
        self.digest = moved_from(value)
        self.puts, self._back = [put], kept(value)

    def put_back(self) -> None:
        """Wherever it was found."""
        value = self._back()
        for put in self.puts:
            put(value)


class Search:
    """`found` are the parts by name, as they are now. Those in `known` are registered, or ours."""

    def __init__(self, registered: Registered) -> None:
        self.found: dict[str, Found] = {}
        self._by_id: dict[int, Found] = {}
        self._room = LARGEST
        self._seen = _ids(registered)
        named = {**registered.modules, **registered.others}
        for name, value, put in _variables():
            # Objects of any library may be among them.
            with suppress(Exception):
                self._look(name, value, put, DEEPEST)
        for name, thing in named.items():
            if isinstance(thing, nn.Module):
                self._look_into_module(name, thing)
        self._look_at_nameless()

    def _look(self, name: str, value: Any, put: Put, depth: int) -> None:
        if (found := self._by_id.get(id(value))) is not None:
            found.puts.append(put)
        if len(self.found) >= MOST or id(value) in self._seen or _is_foreign(value):
            return
        if is_simple(value) or has_state(value) or generator_state(value) is not None:
            if not isinstance(value, NUMBERS):
                self._seen.add(id(value))
            self._take(name, value, put)
            if isinstance(value, nn.Module):
                self._look_into_module(name, value)
            return
        self._seen.add(id(value))
        if depth:
            for part, inner, set_part in _inside(value):
                self._look(f"{name}{part}", inner, set_part, depth - 1)

    def _take(self, name: str, value: Any, put: Put) -> None:
        try:
            size = size_of(value.state_dict() if has_state(value) else value)
            if size > self._room:
                return
            found = Found(value, put)
            while name in self.found:
                # Two functions may have a variable of that name.
                name += "'"
            self.found[name] = found
            self._room -= size
            if not isinstance(value, NUMBERS):
                self._by_id[id(value)] = found
        except Exception:
            # What cannot be copied cannot be tried.
            return

    def _look_into_module(self, name: str, top: nn.Module) -> None:
        """What its modules keep beside parameters and buffers is in no state_dict."""
        for path, module in top.named_modules():
            self._seen.add(id(module))
            for key, value in vars(module).items():
                if not key.startswith("_") and key != "training":
                    place = ".".join(filter(None, [name, path, key]))
                    self._look(place, value, partial(setattr, module, key), 2)

    def _look_at_nameless(self) -> None:
        """Modules and optimizers that no variable leads to: "<Type number>"."""
        tops = [one for one in gc.get_objects() if issubclass(type(one), nn.Module | optim.Optimizer)]
        inner = {id(m) for top in tops if isinstance(top, nn.Module) for m in [*top.modules()][1:]}
        for one in tops:
            if id(one) not in inner:
                self._look(f"<{type(one).__name__} {id(one):x}>", one, _nowhere, 0)


def _ids(registered: Registered) -> set[int]:
    """Of what is registered, and of the tensors in it."""
    ids = {id(one) for one in (*registered.optimizers.values(), *registered.others.values())}
    for top in registered.modules.values():
        ids |= {id(one) for one in (*top.modules(), *top.parameters(), *top.buffers())}
    return ids | {id(p) for p in registered.parameters()}


# --- variables ---


def _variables() -> Iterator[tuple[str, Any, Put]]:
    """(name, value, how to set it) of the functions that are running, and of the script's modules."""
    frame = inspect.currentframe()
    while frame is not None:
        if _is_of_script(frame.f_globals) and frame.f_locals is not frame.f_globals:
            for name, value in list(frame.f_locals.items()):
                yield name, value, partial(_set_local, frame, name)
        frame = frame.f_back
    for module in list(sys.modules.values()):
        space = getattr(module, "__dict__", None)
        if isinstance(space, dict) and _is_of_script(space):
            for name, value in list(space.items()):
                if not name.startswith("__"):
                    yield name, value, partial(space.__setitem__, name)


def _is_of_script(space: Mapping[str, Any]) -> bool:
    """Whether these are the globals of a module that lies beside the script."""
    name, file = str(space.get("__name__")), space.get("__file__")
    if name == "__main__":
        return True
    if name.partition(".")[0] in NOT_THE_SCRIPTS or not isinstance(file, str):
        return False
    main = getattr(sys.modules["__main__"], "__file__", None)
    return main is not None and Path(file).is_relative_to(Path(main).parent) and "-packages" not in file


def _set_local(frame: FrameType, name: str, value: Any) -> None:
    frame.f_locals[name] = value
    if sys.version_info < (3, 13):
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def _nowhere(value: Any) -> None:
    """It is changed in place."""


# --- what they hold ---


def _inside(value: Any) -> Iterator[tuple[str, Any, Put]]:
    """(what follows the name, part, how to set it) of each part of a container or an object."""
    if isinstance(value, CONTAINERS) and len(value) > WIDEST:
        return
    if isinstance(value, dict):
        for key, part in list(value.items()):
            yield f"[{key!r}]", part, partial(value.__setitem__, key)
    elif isinstance(value, CONTAINERS):
        for index, part in enumerate(list(value)):
            put = partial(value.__setitem__, index) if isinstance(value, list) else _nowhere
            yield f"[{index}]", part, put
    elif isinstance(value, FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=False):
            if _is_filled(cell):
                yield f" ({name})", cell.cell_contents, partial(setattr, cell, "cell_contents")
        yield from ((f".{k}", v, partial(setattr, value, k)) for k, v in list(vars(value).items()))
    elif isinstance(value, MethodType):
        yield "", value.__self__, _nowhere
    elif isinstance(value, partial):
        yield "", [value.func, *value.args, *value.keywords.values()], _nowhere
    elif isinstance(value, type):
        names = [name for name in vars(value) if not name.startswith("__")]
        yield from ((f".{name}", vars(value)[name], partial(setattr, value, name)) for name in names)
    else:
        for name, part in list(getattr(value, "__dict__", {}).items()):
            yield f".{name}", part, partial(setattr, value, name)


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _is_foreign(value: Any) -> bool:
    """Ours, a module, or an object of a library that is neither state nor data."""
    if isinstance(value, ModuleType):
        return True
    kind = value if isinstance(value, type | FunctionType) else type(value)
    root = str(getattr(kind, "__module__", "")).partition(".")[0]
    if root == "trainconsole":
        return True
    known = (*NUMBERS, *CONTAINERS, Tensor, nn.Module, optim.Optimizer, data.DataLoader, data.Dataset)
    if isinstance(value, known) or has_state(value) or generator_state(value) is not None:
        return False
    if isinstance(value, data.Sampler | partial | MethodType):
        return False
    return root in NOT_THE_SCRIPTS - {"numpy", "itertools", "collections"}


def _kind(value: Any) -> str:
    if isinstance(value, nn.Module):
        return "module"
    if isinstance(value, optim.Optimizer):
        return "optimizer"
    if generator_state(value) is not None:
        return "generator"
    if has_state(value):
        return "state"
    if isinstance(value, NUMBERS):
        return "number"
    return "tensor" if isinstance(value, Tensor) else type(value).__name__
