"""Run directories in the folder that holds them: which there are, the oldest first, and which one is meant.

No torch.
"""

import os
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import MIB, open_regular, read_bytes
from trainconsole.engine.config.parsing import decode, nearest
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.config.toml import parse
from trainconsole.engine.protocol.events import Moment
from trainconsole.engine.record.journal import NAME as EVENTS

CONFIG = "config.toml"
LARGEST = 16 * MIB
"""Bytes of a config.toml: a preset that repeats 200,000 commands."""
FIRST_LINE = 256 * 1024


class _Begun(Struct):
    time: Moment


def read_config(run: Path, largest: int = LARGEST) -> RunConfig:
    """The config a run started with. Raises UserError."""
    file = run / CONFIG
    try:
        text = read_bytes(file, largest).decode()
    except UnicodeDecodeError:
        raise UserError(f"{file}: it is not UTF-8") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; is this a run directory?") from None
    return decode(parse(text, str(file)), str(file))


def is_run(path: Path) -> bool:
    """Whether there is a config.toml in `path`, of whatever kind."""
    try:
        return bool(os.lstat(path / CONFIG))
    except (OSError, ValueError):
        return False


def find(runs: Path, name: str) -> Path:
    """RUN as a path, a directory name, a unique prefix, or `last`. Raises UserError."""
    if name != "last" and is_run(Path(name)):
        return Path(name).resolve()
    known = listing(runs)
    if name == "last" and known:
        return known[-1]
    matches = [path for path in known if path.name.startswith(name)]
    exact = [path for path in matches if path.name == name]
    if len(exact or matches) == 1:
        return (exact or matches)[0]
    if not known:
        raise UserError(f"no run '{name}': there are no runs in {runs}; --runs-dir DIR looks elsewhere")
    if matches:
        raise UserError(f"'{name}' fits {len(matches)} runs in {runs}: {', '.join(p.name for p in matches)}")
    raise UserError(f"no run '{name}' in {runs}{nearest(name, [path.name for path in known[-5:]])}")


def listing(runs: Path) -> list[Path]:
    """Run directories, by the time at which they started, the oldest first. Raises OSError."""
    if not runs.is_dir():
        return []
    found = {path.resolve() for path in runs.iterdir() if is_run(path)}
    return sorted(found, key=lambda path: (started(path), path.name))


def started(run: Path) -> float:
    """When `run` began, in seconds since 1970: by its first event; of one that has none yet, by its
    config.toml, which is written first and never again; where that tells nothing, by its name."""
    try:
        with open(open_regular(run / EVENTS), "rb") as file:
            return msgspec.json.decode(file.readline(FIRST_LINE), type=_Begun).time
    except (OSError, ValueError, RecursionError):
        pass
    try:
        return os.lstat(run / CONFIG).st_mtime
    except OSError:
        return _named(run.name)


def _named(name: str) -> float:
    """The local time that the name of a directory begins with; 0 where it has none."""
    try:
        return datetime.strptime(name[:19], "%Y-%m-%d_%H-%M-%S").timestamp()
    except (ValueError, OverflowError):
        return 0.0
