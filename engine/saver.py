"""Which checkpoints a run writes and keeps. The training thread only copies; a thread of this room writes."""

import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainconsole.engine import checkpoint
from trainconsole.engine.checkpoint import State, copy_state
from trainconsole.engine.config import Checkpoints
from trainconsole.engine.messages import CheckpointSaved

Kind = Literal["last", "best", "named"]

KEPT = 2
"""How many of the newest `last` checkpoints stay: one that is damaged has one before it."""


@dataclass(frozen=True)
class Job:
    """A state to write: `file` is new, `link`.pt will point at it."""

    state: State
    kind: Kind
    link: str
    file: str


@dataclass(frozen=True)
class Room:
    """Wanted: buffers for copies of `state`, of which only the shapes count; with `spare` once more."""

    state: State
    spare: bool


class Saver:
    """Writes into run/checkpoints. A file says what it is: last-b0-s000123.pt is of branch 0, step 123."""

    def __init__(self, run: Path, clock: Checkpoints) -> None:
        self.directory = run / "checkpoints"
        self.error: OSError | None = None
        self._clock = clock
        self._saved_at = 0.0
        self._jobs: queue.Queue[Job | Room | None] = queue.Queue()
        self._done: queue.SimpleQueue[CheckpointSaved] = queue.SimpleQueue()
        self._kept: State | None = None
        self._spare: State | None = None
        self.has_room = False
        self._best: tuple[State, str] | None = None
        # What each file names as its best: that one stays as long as the file does.
        there = [path for path in self.directory.glob("*.pt") if not path.is_symlink()]
        there.sort(key=lambda path: path.stat().st_mtime_ns)
        self._files = {path.name: checkpoint.best_named_in(path) for path in there}
        self._thread = threading.Thread(target=self._write_all, name="checkpoints", daemon=True)
        self._thread.start()

    # --- the training thread ---

    def due(self, seconds: float, *, epoch_end: bool) -> bool:
        """Whether the clock asks for one after `seconds` of training, and the one before is written."""
        passed = seconds - self._saved_at
        every = self._clock.epoch_seconds if epoch_end else self._clock.step_seconds
        return passed >= every and not self._busy

    @property
    def _busy(self) -> bool:
        return self._jobs.unfinished_tasks > 0

    def make_room(self, state: State, *, spare: bool) -> None:
        """Have buffers made for the copies, before the first is due: fresh ones cost it 250 ms for 25 M
        parameters with Adam's state, where copying costs 25. `spare` ones are for `take_room`."""
        self.has_room = True
        self._jobs.put(Room(state, spare))

    def take_room(self) -> State | None:
        """Buffers for a copy that is somebody else's to keep; there are some once, if they are there yet."""
        room, self._spare = self._spare, None
        return room

    def save_last(self, state: State, best: State | None, seconds: float) -> None:
        """Copy `state` and have it written as last.pt, after the best that it knows."""
        self.flush()
        self._saved_at, self.has_room = seconds, True
        self._kept = copy_state({**state, "best_file": self._save_best(best)}, self._kept)
        self._enqueue(self._kept, "last", "last")

    def save_named(self, name: str, state: State, best: State | None) -> str:
        """Have a copy of `state` written as NAME.pt; returns the name of its file."""
        return self._enqueue(copy_state({**state, "best_file": self._save_best(best)}), "named", name)

    def _save_best(self, best: State | None) -> str:
        """The file that `best` is in, written if it is not yet; "" where there is no best."""
        if best is None:
            return ""
        if self._best is None or self._best[0] is not best:
            self._best = (best, self._enqueue(best, "best", "best"))
        return self._best[1]

    def holds(self, state: State) -> bool:
        """Whether `state` is still to be read by the writer."""
        return self._busy and self._best is not None and self._best[0] is state

    def saved(self) -> list[CheckpointSaved]:
        """What was written since the last call."""
        found = []
        while not self._done.empty():
            found.append(self._done.get())
        return found

    def flush(self) -> None:
        """Wait until all is written. Raises the OSError that kept one from being written."""
        self._jobs.join()
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _enqueue(self, state: State, kind: Kind, link: str) -> str:
        position = state["position"]
        stem = f"{link}-b{state['branch']}-s{position['step']:06d}"
        names = (f"{stem}.pt" if n == 1 else f"{stem}_{n}.pt" for n in range(1, 10**6))
        file = next(name for name in names if name not in self._files)
        self._files[file] = str(state.get("best_file", ""))
        self._jobs.put(Job(state, kind, link, file))
        return file

    # --- the writing thread ---

    def _write_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                if isinstance(job, Room):
                    self._make_room(job)
                else:
                    self._write(job)
            except OSError as error:
                self.error = error
                assert isinstance(job, Job)
                del self._files[job.file]
                self._best = None
            self._jobs.task_done()

    def _make_room(self, wanted: Room) -> None:
        # Where there is no memory for it, the first copy will say so.
        with suppress(MemoryError, RuntimeError):
            self._kept = checkpoint.room_for(wanted.state)
            self._spare = checkpoint.room_for(wanted.state) if wanted.spare else None

    def _write(self, job: Job) -> None:
        path = checkpoint.save(self.directory, job.file, job.link, job.state)
        position = job.state["position"]
        self._done.put(
            CheckpointSaved(
                step=position["step"],
                branch=job.state["branch"],
                path=str(path.relative_to(self.directory.parent)),
                kind=job.kind,
                epoch=position["epoch"],
                weights_sha256=checkpoint.weights_sha256(job.state["model"]),
                lineage=tuple((step, command) for step, command in job.state["lineage"]),
            )
        )
        self._remove_older()

    def _remove_older(self) -> None:
        """Keep the newest two `last`, what a link names, and the best that any of these knows."""
        links = {link.resolve().name for link in self.directory.glob("*.pt") if link.is_symlink()}
        there = [file for file in self._files if (self.directory / file).exists()]
        kept = links | set([file for file in there if file.startswith("last-b")][-KEPT:])
        kept |= {self._files.get(file, "") for file in kept}
        for file in there:
            if file not in kept:
                (self.directory / file).unlink(missing_ok=True)
                del self._files[file]
