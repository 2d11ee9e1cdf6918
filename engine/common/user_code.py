"""The user's own code: import of "my_pkg.nets:Net", and words for what goes wrong in it. No torch."""

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Container
from contextvars import ContextVar
from typing import Any

from trainconsole.engine.common.errors import UserError

LONGEST = 300

_permitted: ContextVar[Container[str] | None] = ContextVar("permitted", default=None)


def permit(targets: Container[str] | None) -> None:
    """In this thread `load_object` imports nothing but `targets`; None: whatever is named."""
    _permitted.set(targets)


def load_object(target: str, what: str) -> Any:
    """The object that `target` ("my_pkg.nets:Net") names, imported with the current directory first.

    `what` says in an error which key named it ("data.name"). Raises UserError where the module or the
    attribute is missing, importing the module fails, or `permit` does not have it. The current
    directory stays on sys.path: loading processes and imports inside the user's functions need it too.
    """
    permitted = _permitted.get()
    if permitted is not None and target not in permitted:
        raise UserError(
            f"{what}: a checkpoint of this run names {target}, its config.toml and its record do not\n"
            "It was not imported: that checkpoint is from elsewhere."
        )
    module_name, _, attribute = target.partition(":")
    found = _import(module_name, what)
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise UserError(f"{what}: '{module_name}' has no '{name}'{_nearest(name, dir(found))}")
        found = getattr(found, name)
    return found


def call(function: Callable[..., Any], what: str, *args: Any, **kwargs: Any) -> Any:
    """What `function` returns. Raises UserError where it raises anything; `what` says what it is."""
    try:
        return function(*args, **kwargs)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(f"{what} failed: {blame(error)}") from error


def blame(error: BaseException) -> str:
    """Type, text (its first line) and file:line of an exception in a user's code.

    The line is the innermost one below the current directory, else the innermost one.
    """
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0][:LONGEST]}" if lines else type(error).__name__
    place = _place(error)
    return f"{text} ({place})" if place else text


def _import(module_name: str, what: str) -> Any:
    here = os.getcwd()
    if sys.path[0] != here:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name != missing and not module_name.startswith(f"{missing}."):
            raise UserError(f"{what}: importing '{module_name}' failed: {blame(error)}") from error
        raise UserError(
            f"{what}: no module '{missing}' in {here} or among the installed packages\n"
            "Start trainconsole in the directory that holds it, or install it."
        ) from None
    except (Exception, SystemExit) as error:
        raise UserError(f"{what}: importing '{module_name}' failed: {blame(error)}") from error


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if os.path.isfile(frame.filename)]
    own = [frame for frame in frames if frame.filename.startswith(os.getcwd() + os.sep)]
    own = [frame for frame in own if f"{os.sep}site-packages{os.sep}" not in frame.filename]
    chosen = (own or frames)[-1:]
    return "".join(f"{_short(frame.filename)}:{frame.lineno}" for frame in chosen)


def _short(path: str) -> str:
    return os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path


def _nearest(name: str, names: list[str]) -> str:
    public = [other for other in names if not other.startswith("_")]
    close = difflib.get_close_matches(name, public, n=1, cutoff=0.5)
    return f", did you mean '{close[0]}'?" if close else ""
