"""How a run goes back: undo and rewind, the states kept for them, and the commands to be applied again."""

from collections import deque
from collections.abc import Iterable
from typing import Any

from trainconsole.engine.checkpoints.schema import Kept
from trainconsole.engine.checkpoints.undo_stack import UndoStack
from trainconsole.engine.checkpoints.writer import Saver
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol import commands
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.events import Branched, Entry
from trainconsole.engine.record import checkpoint_names
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.reporting.refusals import Refused, refused
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.reporting.steered import Steered
from trainconsole.engine.rewind.restore_points import Found, load_with_best, on_chain, origin, soundest
from trainconsole.engine.rewind.saving import Saving
from trainconsole.engine.runs.branches import Fork


class Travel(Saving):
    """Used by the training thread. After a rewind to a step, or a resume, the run catches up: `again` holds
    the commands still to be applied again, `until` the step to be reached."""

    def __init__(
        self, trainer: Steered, report: Reporter, saver: Saver, undo: UndoStack, forks: dict[int, Fork]
    ) -> None:
        super().__init__(trainer, report, saver, undo)
        self.again: deque[Entry] = deque()
        self.until = 0
        self._forks = dict(forks)

    @property
    def catching_up(self) -> bool:
        return bool(self.again) or self._trainer.step < self.until

    @property
    def is_due(self) -> bool:
        """Whether there are commands to be applied again at this step."""
        return bool(self.again) and self.again[0][0] <= self._trainer.step

    def due(self) -> Iterable[Entry]:
        """Those commands, each handed out once."""
        while self.is_due:
            yield self.again.popleft()

    def stops_at(self, step: int) -> bool:
        """Whether `stop last` is among what is to be applied again at `step`."""
        return any(at <= step and text in ("stop", "stop last") for at, text, _ in self.again)

    def undo(self, request: Request) -> None:
        """To before the last boundary with a command that changed training. Raises Refused."""
        if not self._undo.depth:
            raise Refused(
                "nothing to undo in this session; rewind goes further back: rewind best, last, NAME or step N"
            )
        before = self._standing()
        with refused("the snapshot cannot be brought back"):
            state, best = self._undo.newest()
            self._trainer.load_state_dict(state)
        self._undo.drop_newest()
        self._go_back(state, best, "undo", request, before)

    def rewind(self, command: commands.Rewind, request: Request) -> None:
        """To a checkpoint, or to a step by way of the nearest checkpoint before it. Raises Refused."""
        self._report.patiently(self.saver.flush)
        earlier: list[Entry] = []
        if command.step is None:
            found: Found | None = self._from_checkpoint(command.name)
        else:
            earlier = [entry for entry in self._trainer.lineage if entry[0] < command.step]
            found = self._nearest(command.step, earlier)
        before, taken = self._standing(), self.before_change()
        try:
            state, best = self._brought_back(found)
        except Refused:
            if taken:
                self.forget_change()
            raise
        self._go_back(state, best, "rewind", request, before, earlier[len(state["lineage"]) :])
        self.until = command.step or 0

    def _brought_back(self, found: Found | None) -> Found:
        """The trainer stands where `found` is, or at step 0. Raises Refused; then it stands where it was."""
        with refused("no way back"):
            if found is None:
                found = origin(self._trainer), None
            self._trainer.load_state_dict(found[0])
        return found

    def resume(self, state: Kept, best: Kept | None, pending: Iterable[Entry]) -> None:
        """Go on from a checkpoint on a new branch, in a new session."""
        self._trainer.load_state_dict(state)
        self._fork(state, best, "resume", pending)

    def _from_checkpoint(self, name: str) -> Found:
        if name == "best" and self._trainer.best_state is not None:
            return self._trainer.best_state, self._trainer.best_state
        try:
            return load_with_best(checkpoint_names.find(self.saver.directory.parent, name))
        except UserError as error:
            raise Refused(str(error)) from None

    def _nearest(self, step: int, earlier: list[Entry]) -> Found | None:
        """From the newest checkpoint before `step`; None where only step 0 is."""
        if step > self._trainer.step:
            raise Refused(f"step {step} is still to come: this is step {self._trainer.step}")
        files = on_chain(self.saver.directory, self._forks, self._report.branch, step)
        found = soundest(files, earlier)
        return found[:2] if found is not None else None

    def _standing(self) -> dict[str, Any]:
        return {"step": self._trainer.step, **self._trainer.in_force().values()}

    def _go_back(
        self,
        state: Kept,
        best: Kept | None,
        why: str,
        request: Request,
        before: dict[str, Any],
        pending: Iterable[Entry] = (),
    ) -> None:
        """The trainer stands where `state` is: say so, and save it."""
        self._fork(state, best, why, pending)
        after = self._standing()
        changed = [name for name in after if name in ("step", "lr") or before.get(name) != after[name]]
        effect = Effect(
            {name: before[name] for name in changed if name in before},
            {**{name: after[name] for name in changed}, "branch": self._report.branch},
        )
        self._report.acknowledge(request, effect)
        self._report.commit()
        self.save_last()
        self._report.publish(undo_depth=self._undo.depth, in_force=self._trainer.in_force())

    def _fork(self, state: Kept, best: Kept | None, why: str, pending: Iterable[Entry]) -> None:
        trainer, branch = self._trainer, max(self._forks) + 1
        trainer.best_state = best
        self.watch.set(state["seconds"])
        self.again, self.until = deque(pending), 0
        self._forks[branch] = Fork(branch, state["branch"], trainer.step)
        self._report.branch = branch
        kept = self._report.led.shared(state["branch"], trainer.lineage)
        self._report.emit(
            Branched,
            parent=state["branch"],
            at_step=trainer.step,
            why=why,
            pending=tuple(self.again),
            kept=kept,
            lineage=tuple(trainer.lineage[kept:]),
        )
        self._report.recorder.sync()
