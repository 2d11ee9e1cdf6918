"""Which checkpoints a run writes and keeps. The training thread only copies; a thread of this room writes."""

import errno
import os
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.checkpoints.checkpoint import copy_state
from trainconsole.engine.checkpoints.retention import Keeping
from trainconsole.engine.checkpoints.schema import Kept, form
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import kind_of
from trainconsole.engine.config.run import Checkpoints
from trainconsole.engine.protocol.events import CheckpointSaved
from trainconsole.engine.record.checkpoint_names import is_free
from trainconsole.engine.record.open_directory import Directory
from trainconsole.engine.tensors import memory, storable

Kind = Literal["last", "best", "named"]


@dataclass(frozen=True)
class Job:
    """A state to write: `file` is new, NAME.pt will stand for it."""

    state: Kept
    kind: Kind
    name: str
    file: str


@dataclass(frozen=True)
class Room:
    """Wanted: buffers for copies of `state`, of which only the shapes count; with `spare` once more."""

    state: Kept
    spare: bool


class Saver:
    """Writes into run/checkpoints. A file says what it is: last-b0-s000123.pt is of branch 0, step 123.

    `before` are the files that earlier sessions of the run wrote, the oldest first.
    """

    def __init__(self, run: Path, clock: Checkpoints, before: Sequence[str] = ()) -> None:
        self.directory = run / "checkpoints"
        self.error: OSError | UserError | None = None
        self._clock = clock
        self._saved_at = 0.0
        self._failed = False
        self._jobs: queue.Queue[Job | Room | None] = queue.Queue()
        self._done: queue.SimpleQueue[CheckpointSaved] = queue.SimpleQueue()
        self._kept: Kept | None = None
        self._promised = False
        self._spares: queue.SimpleQueue[Kept | None] = queue.SimpleQueue()
        self.has_room = False
        self._best: tuple[Kept, str] | None = None
        self._keeping = Keeping(self.directory, before)
        self._checked = ""
        self._thread = threading.Thread(target=self._write_all, name="checkpoints", daemon=True)
        self._thread.start()

    # --- the training thread ---

    def due(self, seconds: float, *, epoch_end: bool) -> bool:
        """Whether the clock asks for one after `seconds` of training, and the one before is written; at once
        where that came to nothing."""
        passed = seconds - self._saved_at
        every = self._clock.epoch_seconds if epoch_end else self._clock.step_seconds
        return (passed >= every or self.error is not None) and not self._busy

    @property
    def _busy(self) -> bool:
        return self._jobs.unfinished_tasks > 0

    def make_room(self, state: Kept, *, spare: bool) -> None:
        """Have buffers made for the copies, before the first is due: fresh ones cost it 250 ms for 25 M
        parameters with Adam's state, where copying costs 25. `spare` ones are for `take_room`. Raises
        storable.NotStorable."""
        # The first state with all that an optimizer keeps.
        storable.check(state)
        self.has_room, self._promised = True, spare
        self._jobs.put(Room(state, spare))

    def take_room(self) -> Kept | None:
        """Buffers for a copy that is somebody else's to keep; there are some once. Waits for them: other ones
        would take as long, and these would then be kept for nobody."""
        promised, self._promised = self._promised, False
        return self._spares.get() if promised else None

    def release(self) -> None:
        """Let the buffers go, when what was copied into them is written: memory is wanted elsewhere. Later
        copies are made as there is room for them."""
        self._jobs.join()
        self._kept, self.has_room = None, True

    def save_last(self, state: Kept, best: Kept | None, seconds: float) -> None:
        """Copy `state` and have it written as last.pt, after the best that it knows.

        Where there is no memory for the copy, the state itself is written, and training waits for it, as it
        does for one after one that failed. Raises what `flush` raises, of this one or the one before.
        """
        self.flush()
        self._saved_at, self.has_room = seconds, True
        state = {**state, "best_file": self._save_best(best)}
        try:
            self._kept = copy_state(state, self._kept)
        except (MemoryError, RuntimeError) as error:
            self._kept = None
            if not memory.ran_out(error):
                raise
        self._enqueue(self._kept or state, "last", "last")
        if self._kept is None or self._failed:
            self.flush()
            self._failed = False

    def is_foreign(self, name: str) -> bool:
        """Whether there is a NAME.pt that the program did not make. Raises OSError."""
        if not kind_of(self.directory):
            return False
        with Directory(self.directory) as folder:
            return not is_free(folder, name)

    def save_named(self, name: str, state: Kept, best: Kept | None) -> str:
        """Have a copy of `state` written as NAME.pt; returns the name of its file."""
        return self._enqueue(copy_state({**state, "best_file": self._save_best(best)}), "named", name)

    def _save_best(self, best: Kept | None) -> str:
        """The file that `best` is in, written if it is not yet; "" where there is no best."""
        if best is None:
            return ""
        if self._best is None or self._best[0] is not best:
            self._best = (best, self._enqueue(best, "best", "best"))
        return self._best[1]

    def holds(self, state: Kept) -> bool:
        """Whether `state` is still to be read by the writer."""
        return self._busy and self._best is not None and self._best[0] is state

    def saved(self) -> list[CheckpointSaved]:
        """What was written since the last call."""
        found = []
        while not self._done.empty():
            found.append(self._done.get())
        return found

    def flush(self) -> None:
        """Wait until all is written. Raises what kept one from being written: OSError of the disk, and of the
        memory (ENOMEM), else UserError."""
        self._jobs.join()
        if self.error is not None:
            error, self.error = self.error, None
            self._failed = True
            raise error

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _enqueue(self, state: Kept, kind: Kind, name: str) -> str:
        file = self._keeping.name(f"{name}-b{state['branch']}-s{state['position']['step']:06d}")
        self._keeping.add(file, str(state.get("best_file", "")))
        self._jobs.put(Job(state, kind, name, file))
        return file

    # --- the writing thread ---

    def _write_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                if isinstance(job, Room):
                    self._make_room(job)
                else:
                    self._write(job)
            except BaseException as error:
                # Nobody else would hear of it, and the training thread would wait for ever.
                assert isinstance(job, Job)
                self.error = _told(error, self.directory / job.file)
                self._keeping.forget(job.file)
                self._best = None
            finally:
                self._jobs.task_done()

    def _make_room(self, wanted: Room) -> None:
        if wanted.spare:
            self._spares.put(_room_for(wanted.state))
        self._kept = _room_for(wanted.state)

    def _write(self, job: Job) -> None:
        sha256 = checkpoint.weights_sha256(job.state["model"])
        # Only an optimizer's state may take another form in mid-run: read back what is the first of a form.
        kind = form(job.state)
        check = kind != self._checked
        path = checkpoint.save(self.directory, job.file, job.name, job.state, check=check)
        self._checked = kind
        self._keeping.point(job.name, job.file)
        position = job.state["position"]
        self._done.put(
            CheckpointSaved(
                step=position["step"],
                branch=job.state["branch"],
                path=str(path.relative_to(self.directory.parent)),
                kind=job.kind,
                epoch=position["epoch"],
                weights_sha256=sha256,
                lineage=tuple((step, command) for step, command in job.state["lineage"]),
            )
        )
        # What cannot be removed now is tried again after the next one.
        with suppress(OSError):
            self._keeping.remove_older()


def _room_for(state: Kept) -> Kept | None:
    """None where there is none: the first copy will say so."""
    with suppress(Exception):
        return checkpoint.room_for(state)  # type: ignore[no-any-return]
    return None


def _told(error: BaseException, path: Path) -> OSError | UserError:
    """What the training thread is to hear of `error`."""
    if isinstance(error, OSError | UserError):
        return error
    if memory.ran_out(error):
        told: OSError | UserError = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), str(path))
    else:
        first = (str(error).splitlines() or [""])[0]
        told = UserError(f"{path} cannot be written: {type(error).__name__}: {first}")
    told.__cause__ = error
    return told
