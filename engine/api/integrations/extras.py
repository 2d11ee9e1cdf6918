"""The libraries that adapters are for. No torch."""

import sys
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


def stays_out(name: str, parted: bool) -> bool:
    """Whether the weights lie in parts on several devices, which is said."""
    if parted:
        why = f"the weights of {name} lie in parts on several devices: FSDP and DeepSpeed are not steered"
        print(f"trainconsole: {why}", file=sys.stderr)
    return parted


def is_installed(name: str) -> bool:
    return find_spec(name) is not None


def missing(name: str, extra: str) -> NoReturn:
    raise UserError(f"{name} is not installed in this environment\npip install 'trainconsole[{extra}]'")
