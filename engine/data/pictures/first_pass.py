"""What a first pass over a large folder of pictures met, kept until a file of it changes. No torch.

Such a pass reads every picture in full, which takes minutes for a hundred thousand: once is enough for all
the runs, resumes and evaluations on the same files.
"""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct, field
from platformdirs import user_cache_path

from trainconsole.engine.common.files import MIB, read_bytes, replace_file

VERSION = 1
"""Counts up when pictures are read otherwise than before."""
LONGEST = 64 * MIB
MOST = 64
"""Verdicts that are kept; the oldest go."""

Extreme = tuple[float, str]
"""A value, and the picture that has it."""


class Seen(Struct, kw_only=True):
    """By path why a picture cannot be read; by kind of numbers how many there are, and the extremes of what
    is not bytes; how many have something transparent."""

    damaged: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    lowest: dict[str, Extreme] = field(default_factory=dict)
    highest: dict[str, Extreme] = field(default_factory=dict)
    clear: int = 0


def folder() -> Path:
    """Where they are kept; heeds XDG_CACHE_HOME."""
    return user_cache_path("trainconsole") / "pictures"


def key(paths: Iterable[str], reader: str) -> str:
    """By where the files are, how large, when written, and by what reads them. Raises OSError."""
    digest = hashlib.sha256(f"{VERSION} {reader}".encode())
    for path in paths:
        found = os.stat(path)
        digest.update(os.fsencode(os.path.abspath(path)))
        digest.update(f"\0{found.st_size} {found.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def recall(name: str) -> Seen | None:
    """What keep() kept under `name`; None where it is gone or damaged."""
    try:
        return msgspec.json.decode(read_bytes(folder() / f"{name}.json", LONGEST), type=Seen)
    except (OSError, msgspec.MsgspecError):
        return None


def keep(name: str, seen: Seen) -> None:
    """Where it cannot be kept, the next run reads all again; names that are no text are not kept."""
    with suppress(OSError, UnicodeEncodeError, RuntimeError):
        folder().mkdir(parents=True, exist_ok=True)
        replace_file(folder() / f"{name}.json", msgspec.json.encode(seen))
        there = sorted(folder().glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in there[:-MOST]:
            path.unlink()
