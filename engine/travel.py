"""How a run goes back: undo and rewind, the states kept for them, and the commands to be applied again."""

from collections import deque
from collections.abc import Iterable
from pathlib import Path

from trainconsole.engine import checkpoint, messages, steering
from trainconsole.engine.branches import Fork, chain
from trainconsole.engine.checkpoint import State
from trainconsole.engine.errors import UserError
from trainconsole.engine.messages import Branched, Entry, Request
from trainconsole.engine.reporter import Reporter
from trainconsole.engine.saver import Saver
from trainconsole.engine.states import entries
from trainconsole.engine.trainer import Trainer
from trainconsole.engine.undo import UndoStack

Found = tuple[State, State | None]
"""A state, and the best that it knows."""


class Travel:
    """Used by the training thread. After a rewind to a step, or a resume, the run catches up: `again` holds
    the commands still to be applied again, `until` the step to be reached."""

    def __init__(
        self, trainer: Trainer, report: Reporter, saver: Saver, undo: UndoStack, forks: dict[int, Fork]
    ) -> None:
        self.watch = report.watch
        self.again: deque[Entry] = deque()
        self.until = 0
        self.saver = saver
        self._trainer = trainer
        self._report = report
        self._undo = undo
        self._forks = dict(forks)

    @property
    def catching_up(self) -> bool:
        return bool(self.again) or self._trainer.step < self.until

    def due(self) -> Iterable[Entry]:
        """Commands to be applied again at this step, each handed out once."""
        while self.again and self.again[0][0] <= self._trainer.step:
            yield self.again.popleft()

    def stops_at(self, step: int) -> bool:
        """Whether `stop last` is among what is to be applied again at `step`."""
        return any(at <= step and text in ("stop", "stop last") for at, text, _ in self.again)

    # --- what is kept ---

    def state(self) -> State:
        """The trainer's state with its place in the run; the tensors are live."""
        return {**self._trainer.state_dict(), **self._place()}

    def _place(self) -> State:
        return {"branch": self._report.branch, "seconds": self.watch.seconds}

    def keep_best(self) -> None:
        """This epoch is the best: copy it, into the buffers of the one before where nobody needs that."""
        old = self._trainer.best_state
        free = old is not None and not self.saver.holds(old) and not self._undo.holds(old)
        into = old if free else self.saver.take_room()
        self._trainer.keep_best({**self._place(), "best_file": ""}, into)

    def before_change(self) -> bool:
        """Snapshot for `undo`; False where this boundary has one already."""
        taken = self._undo.take(self.state(), self._trainer.best_state)
        self._report.publish(undo_depth=self._undo.depth)
        return taken

    def forget_change(self) -> None:
        """The command that the snapshot was taken for was refused."""
        self._undo.drop_newest()
        self._report.publish(undo_depth=self._undo.depth)

    def save_last(self) -> None:
        """Copy now, have it written. Waits where the disk refused the one before."""
        self._report.patiently(self._save_last)

    def save_last_now(self) -> None:
        """Copy, and wait until it is written."""

        def save() -> None:
            self._save_last()
            self.saver.flush()

        self._report.patiently(save)
        self.announce()

    def _save_last(self) -> None:
        self.saver.save_last(self.state(), self._trainer.best_state, self.watch.seconds)

    def save_named(self, name: str) -> str:
        return self.saver.save_named(name, self.state(), self._trainer.best_state)

    def announce(self) -> None:
        """Events for the checkpoints that were written since the last time."""
        for saved in self.saver.saved():
            self._report.write(saved)

    def close(self) -> None:
        """The session is over: snapshots go, what is queued is written."""
        self._undo.clear()
        self.saver.close()

    # --- going back ---

    def undo(self, request: Request) -> None:
        """To before the last boundary with a command that changed training. Raises Refused."""
        if not self._undo.depth:
            raise steering.Refused(
                "nothing to undo in this session; rewind goes further back: rewind best, last, NAME or step N"
            )
        state, best = self._undo.pop()
        self._go_back(state, best, "undo", request)

    def rewind(self, command: messages.Rewind, request: Request) -> None:
        """To a checkpoint, or to a step by way of the nearest checkpoint before it. Raises Refused."""
        self.saver.flush()
        earlier: list[Entry] = []
        if command.step is None:
            found: Found | None = self._from_checkpoint(command.name)
        else:
            earlier = [entry for entry in self._trainer.lineage if entry[0] < command.step]
            found = self._nearest(command.step, earlier)
        self._undo.take(self.state(), self._trainer.best_state)
        # Only now: step 0 is computed anew, which draws from the random generators that are in the snapshot.
        state, best = found or (origin(self._trainer), None)
        self._go_back(state, best, "rewind", request, earlier[len(state["lineage"]) :])
        self.until = command.step or 0

    def resume(self, state: State, best: State | None, pending: Iterable[Entry]) -> None:
        """Go on from a checkpoint on a new branch, in a new session."""
        self._fork(state, best, "resume", pending)

    def _from_checkpoint(self, name: str) -> Found:
        if name == "best" and self._trainer.best_state is not None:
            return self._trainer.best_state, self._trainer.best_state
        path = self.saver.directory / f"{name}.pt"
        if not path.exists():
            there = sorted(link.stem for link in self.saver.directory.glob("*.pt") if link.is_symlink())
            raise steering.Refused(f"no checkpoint '{name}'; there are: {', '.join(there) or 'none yet'}")
        try:
            return load_with_best(path)
        except UserError as error:
            raise steering.Refused(str(error)) from None

    def _nearest(self, step: int, earlier: list[Entry]) -> Found | None:
        """From the newest checkpoint before `step`; None where only step 0 is."""
        if step > self._trainer.step:
            raise steering.Refused(f"step {step} is still to come: this is step {self._trainer.step}")
        files = on_chain(self.saver.directory, self._forks, self._report.branch, step)
        found = soundest(files, earlier)
        return found[:2] if found is not None else None

    def _go_back(
        self, state: State, best: State | None, why: str, request: Request, pending: Iterable[Entry] = ()
    ) -> None:
        before = {"step": self._trainer.step, "lr": self._trainer.rate}
        self._fork(state, best, why, pending)
        after = {"step": self._trainer.step, "lr": self._trainer.rate, "branch": self._report.branch}
        self._report.acknowledge(request, steering.Effect(before, after))
        self.save_last()
        self._report.publish(undo_depth=self._undo.depth, in_force=steering.in_force(self._trainer))

    def _fork(self, state: State, best: State | None, why: str, pending: Iterable[Entry]) -> None:
        trainer, branch = self._trainer, max(self._forks) + 1
        trainer.load_state_dict(state)
        trainer.best_state = best
        self.watch.set(state["seconds"])
        self.again, self.until = deque(pending), 0
        self._forks[branch] = Fork(branch, state["branch"], trainer.step)
        self._report.branch = branch
        self._report.emit(
            Branched,
            parent=state["branch"],
            at_step=trainer.step,
            why=why,
            pending=tuple(self.again),
            lineage=tuple(trainer.lineage),
        )
        self._report.recorder.sync()


def origin(trainer: Trainer) -> State:
    """The state at step 0, computed anew."""
    return {**trainer.fresh().state_dict(), "branch": 0, "seconds": 0.0}


def load_with_best(path: Path) -> Found:
    """A checkpoint and the best that it knows. Raises UserError where either is damaged or gone."""
    state = checkpoint.load(path)
    if path.resolve().name.startswith("best-b"):
        return state, state
    file = state["best_file"]
    return state, checkpoint.load(path.parent / file) if file else None


def on_chain(directory: Path, forks: dict[int, Fork], branch: int, step: int) -> list[Path]:
    """Checkpoint files of `branch` and, not beyond the forks, its parents, up to `step`; the newest first."""
    limits = dict(chain(forks, branch))
    found = []
    for path in directory.glob("*-b*-s*.pt"):
        place = _place_of(path)
        if path.is_symlink() or place is None or place[0] not in limits:
            continue
        if place[1] <= min(limits[place[0]], step):
            found.append((place[1], path.stat().st_mtime_ns, path))
    return [path for *_, path in sorted(found, reverse=True)]


def soundest(
    files: Iterable[Path], lineage: list[Entry], damaged: list[str] | None = None
) -> tuple[State, State | None, Path] | None:
    """The first of `files` that is whole and led to by a beginning of `lineage`; None where none is.

    What is wrong with those passed over is added to `damaged`.
    """
    for path in files:
        try:
            state, best = load_with_best(path)
        except UserError as error:
            if damaged is not None:
                damaged.append(str(error))
            continue
        known = entries(state)
        if known == lineage[: len(known)]:
            return state, best, path
    return None


def _place_of(path: Path) -> tuple[int, int] | None:
    """(branch, step) from NAME-b<branch>-s<step>[_n].pt"""
    _, b, rest = path.stem.rpartition("-b")
    branch, s, step = rest.partition("-s")
    step = step.partition("_")[0]
    return (int(branch), int(step)) if b and s and branch.isdecimal() and step.isdecimal() else None
