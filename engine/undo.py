"""Snapshots to go back to: one before each boundary at which a command changed training."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from trainconsole.engine import checkpoint
from trainconsole.engine.checkpoint import State, copy_state

IN_MEMORY = 256 * 2**20
"""Bytes of snapshots kept in memory; the oldest beyond it go to the disk."""

ON_DISK = 2 * 2**30
"""Bytes of snapshots kept on the disk; the oldest beyond it are dropped."""


@dataclass
class Snapshot:
    """A copied state and the best that it knew; in memory, or in `file` when `state` is None."""

    at: tuple[int, int]
    state: State | None
    best: State | None
    size: int
    file: Path | None = None


class UndoStack:
    """The newest last. Files are under run/undo and go with the session."""

    def __init__(self, run: Path, in_memory: int = IN_MEMORY, on_disk: int = ON_DISK) -> None:
        self._directory = run / "undo"
        self._limits = in_memory, on_disk
        self._entries: list[Snapshot] = []
        self._count = 0

    @property
    def depth(self) -> int:
        """How many times in a row `undo` can be given."""
        return len(self._entries)

    def take(self, state: State, best: State | None) -> bool:
        """Copy `state`, unless the last entry is of the same boundary. Returns whether it did.

        `best` is kept by reference: see `holds`. Raises OSError where an older one cannot go to the disk.
        """
        at = (state["branch"], state["position"]["step"])
        if self._entries and self._entries[-1].at == at:
            return False
        self._entries.append(Snapshot(at, copy_state(state), best, size_of(state)))
        self._make_room()
        return True

    def drop_newest(self) -> None:
        """The command that it was taken for came to nothing."""
        self._forget(self._entries.pop())

    def pop(self) -> tuple[State, State | None]:
        """The newest state and its best. Raises IndexError where there is none, UserError if damaged."""
        entry = self._entries.pop()
        state = entry.state if entry.state is not None else checkpoint.load(self._file(entry))
        self._forget(entry)
        return state, entry.best

    def holds(self, best: State) -> bool:
        return any(entry.best is best for entry in self._entries)

    def clear(self) -> None:
        """Remove what is on the disk."""
        for entry in self._entries:
            self._forget(entry)
        self._entries = []
        if self._directory.is_dir():
            for stray in self._directory.iterdir():
                stray.unlink(missing_ok=True)
            self._directory.rmdir()

    def _make_room(self) -> None:
        """Writing is left to the training thread: it happens only to those who keep many large snapshots."""
        in_memory, on_disk = self._limits
        for entry in self._entries[:-1]:
            if sum(e.size for e in self._entries if e.state is not None) <= in_memory:
                break
            if entry.state is not None:
                self._count += 1
                entry.file = self._directory / f"{self._count:06d}.pt"
                checkpoint.save(self._directory, entry.file.name, "newest", entry.state)
                entry.state = None
        while sum(e.size for e in self._entries if e.file is not None) > on_disk:
            self._forget(self._entries.pop(0))

    @staticmethod
    def _file(entry: Snapshot) -> Path:
        assert entry.file is not None
        return entry.file

    @staticmethod
    def _forget(entry: Snapshot) -> None:
        if entry.file is not None:
            entry.file.unlink(missing_ok=True)


def size_of(state: object) -> int:
    """Bytes of all tensors in `state`."""
    size, left = 0, [state]
    while left:
        part = left.pop()
        if isinstance(part, Tensor):
            size += part.nbytes
        elif isinstance(part, dict):
            left += part.values()
        elif isinstance(part, (list, tuple)):
            left += part
    return size
