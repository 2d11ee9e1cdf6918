"""Which curves this user wants to see of a preset or script, remembered from run to run. No torch."""

from pathlib import Path

import msgspec

from trainconsole.engine.common import user_dirs
from trainconsole.engine.common.files import MIB, read_bytes, replace_file

KEPT = 500
"""Presets whose choice is kept, the newest."""
LONGEST = 1000
"""Characters of a preset, or of a curve's key, that are kept."""


def file() -> Path:
    return user_dirs.folder() / "curves.json"


def read(preset: str) -> tuple[str, ...]:
    """The keys that were chosen last, () where nothing was, or where it cannot be read."""
    return _all().get(preset, ())


def remember(preset: str, keys: tuple[str, ...]) -> None:
    """() forgets. Raises OSError."""
    if len(preset) > LONGEST or any(len(key) > LONGEST for key in keys):
        return
    known = {name: chosen for name, chosen in _all().items() if name != preset}
    if keys:
        known[preset] = keys
    kept = dict([*known.items()][-KEPT:])
    path = file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, msgspec.json.encode(kept) + b"\n", 0o600)


def _all() -> dict[str, tuple[str, ...]]:
    try:
        return msgspec.json.decode(read_bytes(file(), MIB), type=dict[str, tuple[str, ...]])
    except (OSError, ValueError, RecursionError):
        return {}
