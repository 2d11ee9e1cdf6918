"""Where what is this user's own is kept: sockets, the list of live runs, what was
started here, data. No torch."""

import os
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path, user_state_path

SOCKETS = Path(os.environ.get("TRAINCONSOLE_SOCKETS", "/tmp"))


def sockets(base: Path = SOCKETS) -> Path:
    """This user's directory of sockets, whether or not it is there."""
    return base / f"trainconsole-{os.getuid()}"


def folder() -> Path:
    """Heeds XDG_STATE_HOME."""
    return _somewhere(lambda: user_state_path("trainconsole"), "state")


def cache() -> Path:
    """Where data sets go unless said otherwise; heeds XDG_CACHE_HOME."""
    return _somewhere(lambda: user_cache_path("trainconsole") / "data", "data")


def _somewhere(usual: Callable[[], Path], name: str) -> Path:
    """Without a home (a container, a user that the system does not know) it lies beside the sockets, in the
    directory that is this user's alone: platformdirs raises, or names a place below the current one."""
    try:
        path = usual()
    except RuntimeError:
        path = Path("~")
    return path if path.is_absolute() else sockets() / name
