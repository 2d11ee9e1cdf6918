"""The libraries that adapters are for. No torch."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import NoReturn

from trainconsole.engine.common.errors import UserError


def imported(name: str, extra: str) -> ModuleType:
    """Raises UserError where the library is not installed."""
    if not is_installed(name.partition(".")[0]):
        missing(name, extra)
    return import_module(name)


def is_installed(name: str) -> bool:
    return find_spec(name) is not None


def missing(name: str, extra: str) -> NoReturn:
    raise UserError(f"{name} is not installed in this environment\npip install 'trainconsole[{extra}]'")
