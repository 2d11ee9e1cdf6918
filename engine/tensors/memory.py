"""Memory that is not there: asked beforehand where it can be known, because Linux does not refuse, it kills;
and whether an error says so, of the machine or of the device."""

import errno
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import torch

WORDS = ("out of memory", "not enough memory", "allocate memory", "failed to allocate")
"""torch's allocators say it in a RuntimeError, each in its own way."""

PROC = Path("/proc")

SMALL = 64 * 2**20
"""Bytes that nobody asks for beforehand."""

LEFT = 256 * 2**20
"""Bytes that others may want meanwhile."""

GROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", ("inactive_file", "active_file")),
    (
        Path("/sys/fs/cgroup/memory"),
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
)
"""Control groups of version 2 and 1: where they are mounted; the files of limit and use; what the kernel
takes back first."""


def ran_out(error: BaseException) -> bool:
    """Whether `error` is about memory that was not there."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in WORDS)


def claim(size: int) -> None:
    """Raises MemoryError where the machine, or this process's share of it, has not `size` more bytes."""
    if size < SMALL:
        return
    free = available()
    if free is not None and size + LEFT > free:
        raise MemoryError(f"{size / 1e9:.1f} GB are needed, and {max(0, free - LEFT) / 1e9:.1f} GB are free")


def available() -> int | None:
    """Bytes that can be taken before something is killed, swap included; None where that is not known."""
    try:
        free = int(psutil.virtual_memory().available + psutil.swap_memory().free)
    except (OSError, ValueError, KeyError, RuntimeError, psutil.Error):
        return None
    return min((free, *_left_in_groups()))


def _left_in_groups() -> Iterator[int]:
    """Of each control group that this process is in and that has a limit."""
    try:
        lines = (PROC / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
        own = {kinds: path for _, kinds, path in (line.split(":", 2) for line in lines)}
    except (OSError, ValueError):
        return
    for kind, (root, limit, used, taken_back) in zip(("", "memory"), GROUPS, strict=True):
        path = Path(own.get(kind, "/").lstrip("/"))
        for folder in {root / part for part in (path, *path.parents)}:
            # There may be no such group here, or one without a limit ("max").
            with suppress(OSError, ValueError):
                most, now = (int((folder / file).read_text(encoding="utf-8")) for file in (limit, used))
                counts = _numbers(folder / "memory.stat")
                yield most - now + sum(counts.get(name, 0) for name in taken_back)


def _numbers(file: Path) -> dict[str, int]:
    """By the first word of each line, the second."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) > 1}
