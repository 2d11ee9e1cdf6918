"""Snapshots to go back to: one before each boundary at which a command changed training."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from trainconsole.engine.checkpoints import checkpoint, schema
from trainconsole.engine.checkpoints.checkpoint import State, copy_state
from trainconsole.engine.checkpoints.schema import Kept
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.record import own_files
from trainconsole.engine.record.open_directory import Directory
from trainconsole.engine.tensors import memory
from trainconsole.engine.tensors.copies import size_of

IN_MEMORY = 256 * 2**20
"""Bytes of snapshots kept in memory; the oldest beyond it go to the disk."""

ON_DISK = 2 * 2**30
"""Bytes of snapshots kept on the disk; the oldest beyond it are dropped."""


@dataclass
class Snapshot:
    """A copied state and the best that it knew; in memory, or in `file` of run/undo when `state` is None."""

    at: tuple[int, int]
    state: Kept | None
    best: Kept | None
    size: int
    file: str = ""


class UndoStack:
    """The newest last. Files are under run/undo and go with the session."""

    def __init__(self, run: Path, in_memory: int = IN_MEMORY, on_disk: int = ON_DISK) -> None:
        self._run = run
        self._directory = run / "undo"
        self._limits = in_memory, on_disk
        self._entries: list[Snapshot] = []
        self._count = 0

    @property
    def depth(self) -> int:
        """How many times in a row `undo` can be given."""
        return len(self._entries)

    def take(self, state: Kept, best: Kept | None) -> bool:
        """Copy `state`, unless the last entry is of the same boundary. Returns whether it did.

        `best` is kept by reference: see `holds`. Raises OSError where an older one cannot go to the disk, and
        as copy_state does where there is no memory; then the stack is as it was.
        """
        at = (state["branch"], state["position"]["step"])
        if self._entries and self._entries[-1].at == at:
            return False
        self._entries.append(Snapshot(at, copy_state(state), best, size_of(state)))
        try:
            self._make_room()
            _leave_room(state["model"])
        except BaseException:
            self._entries.pop()
            raise
        return True

    def drop_newest(self) -> None:
        """The run went back to it, or the command that it was taken for came to nothing."""
        self._forget(self._entries.pop())

    def newest(self) -> tuple[Kept, Kept | None]:
        """The newest state and its best. Raises IndexError where there is none; UserError where it cannot be
        read back, and then it is dropped, unless there was no memory to read it."""
        entry = self._entries[-1]
        if entry.state is not None:
            return entry.state, entry.best
        try:
            return schema.load(self._directory / entry.file), entry.best
        except checkpoint.NoMemory:
            raise
        except UserError:
            self.drop_newest()
            raise

    def holds(self, best: Kept) -> bool:
        return any(entry.best is best for entry in self._entries)

    def clear(self) -> None:
        """Remove what is on the disk."""
        self._entries = []
        own_files.sweep_undo(self._run)

    def _make_room(self) -> None:
        """Writing is left to the training thread: it happens only to those who keep many large snapshots."""
        in_memory, on_disk = self._limits
        for entry in self._entries[:-1]:
            if sum(e.size for e in self._entries if e.state is not None) <= in_memory:
                break
            if entry.state is not None:
                self._count += 1
                file = f"{self._count:06d}.pt"
                checkpoint.save(self._directory, file, "", entry.state)
                entry.file, entry.state = file, None
        while sum(e.size for e in self._entries if e.file) > on_disk:
            self._forget(self._entries.pop(0))

    def _forget(self, entry: Snapshot) -> None:
        # What cannot be removed now is swept at the end of the session.
        with suppress(OSError):
            if entry.file:
                with Directory(self._directory) as folder:
                    folder.remove(entry.file)


def _leave_room(weights: State) -> None:
    """Raises where nothing is left for gradients, as copy_state: the next step would end the run."""
    memory.claim(size_of(weights, "cpu"))
    for device in {tensor.device for tensor in weights.values() if isinstance(tensor, Tensor)}:
        parts = [part for part in weights.values() if isinstance(part, Tensor) and part.device == device]
        torch.empty(size_of(parts), dtype=torch.uint8, device=device)
