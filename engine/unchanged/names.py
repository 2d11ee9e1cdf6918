"""What a script calls an optimizer: the variable that it is in."""

import inspect
from collections.abc import Collection, Iterator
from types import FrameType
from typing import Any

from trainconsole.engine.protocol.grammar import is_name

SKIPPED = ("torch", "trainconsole")
"""Packages whose variables are none of the script's."""


def name_of(thing: Any, taken: Collection[str]) -> str:
    """The name of the outermost variable that holds `thing`, of those in which it is being used; else
    "optimizer"; with a number where that is `taken`. A name in the grammar of commands."""
    found = [*_names(thing)]
    name = found[-1] if found else "optimizer"
    numbered = (f"{name}_{number}" for number in range(1, len(taken) + 2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def _names(thing: Any) -> Iterator[str]:
    """From the innermost function to the outermost."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] not in SKIPPED:
            yield from _in(frame, thing)
        frame = frame.f_back


def _in(frame: FrameType, thing: Any) -> Iterator[str]:
    """Among the attributes of `self`, the variables of the function, and those of its module."""
    scopes = (getattr(frame.f_locals.get("self"), "__dict__", {}), frame.f_globals, frame.f_locals)
    for scope in scopes:
        for name, value in list(scope.items()):
            if value is thing and name not in ("self", "_") and is_name(str(name)):
                yield str(name)
                break
