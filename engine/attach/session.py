"""One session of a script's run, from `attach` to the end of the process."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from trainconsole.engine.attach.beginning import Begun, begin
from trainconsole.engine.attach.driven_loop import DrivenLoop
from trainconsole.engine.attach.host import OwnHost, raise_again
from trainconsole.engine.attach.measuring import Measure, Measuring
from trainconsole.engine.boundary.ending import Ending
from trainconsole.engine.checkpoints.schema import LoopState
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.host.host import reason_of
from trainconsole.engine.own_loop.numbers import Number, Update, means
from trainconsole.engine.own_loop.passes import Passes
from trainconsole.engine.own_loop.steered_loop import SteeredLoop
from trainconsole.engine.protocol import events
from trainconsole.engine.runs.launch import abandon_new
from trainconsole.engine.runs.scripts import Start
from trainconsole.engine.tensors.copies import copy_state
from trainconsole.engine.tensors.digest import weights_sha256
from trainconsole.engine.verify import record
from trainconsole.engine.verify.resuming import Resuming
from trainconsole.engine.verify.undoing import Undoing
from trainconsole.engine.verify.verifier import Opened, Verifier

LAST = "checkpoints/last.pt"
NO_UPDATE = 64
"""Batches without an update, besides those that it usually takes, after which commands are served all the
same: a loop that skips every update could not be undone."""


class Session:
    """Used by the thread that trains. Until the first boundary nothing of it is in the record. `saved` is the
    checkpoint that it ends with."""

    def __init__(self, loop: SteeredLoop, host: OwnHost, config: RunConfig, start: Start) -> None:
        self.loop = loop
        self.host = host
        self.seed = config.seed
        self.passes = Passes(loop)
        self._config = config
        self._start = start
        self.saved = "" if isinstance(loop, DrivenLoop) else LAST
        self._measuring = Measuring(loop, loop.ask if isinstance(loop, DrivenLoop) else None)
        self._begun: Begun | None = None
        self._pid = os.getpid()
        self.settle: Callable[[], None] = lambda: None
        self._seen = 0
        self._is_due = True
        self._since = self._usual = 0
        self._concluded = False
        self._left_early = True
        self._loops_end = 0
        self._warnings: list[str] = []
        self.verifier = _verifier(loop, start)

    # --- boundaries ---

    def begin(self) -> None:
        """At the first boundary."""
        if self._begun is not None or self._concluded:
            return
        try:
            begun = begin(self.loop, self.host, self._config, self._start, self._measuring.on_request)
        except BaseException:
            self._concluded = True
            self._leave()
            self._abandon()
            raise
        self._begun = self._measuring.begun = begun
        self.verifier.begin(Opened(begun.boundary, begun.travel, begun.report, self.host.inbox))
        if self.loop.moves:
            self.passes.moved()
        # One of several processes that a launcher ends together must not be the last to go.
        if not isinstance(self.loop, DrivenLoop) or self.loop.together.alone:
            self.host.hear_signals()
        begun.report.publish("training", in_force=self.loop.in_force())
        begun.report.watch.start()
        warnings, self._warnings = self._warnings, []
        for why in warnings:
            self.warn(why)

    def warn(self, why: str) -> None:
        """Something that a person should know of this run; "" is nothing."""
        if why and self._begun is not None:
            self._begun.report.emit(events.Warned, why=why, kind="exactness")
        elif why:
            self._warnings.append(why)

    @property
    def is_over(self) -> bool:
        return self._concluded or (self._begun is not None and self._begun.boundary.ending is not None)

    def updates(self) -> bool:
        """Whether an optimizer has made an update since the last time."""
        count = self.loop.settings.updates()
        made, self._seen = count != self._seen, count
        return made

    def is_due(self, *, is_last: bool) -> bool:
        """Whether this is the boundary at which the commands of its step are served: there is one for each
        update, so that a replay finds it again. It is not while gradients of several batches are summed, and
        after the last batch of a pass not before the next one begins: what a script does between two epochs
        belongs to the step before."""
        self._since += 1
        if self.loop.settings.hooked and self._since <= 4 * self._usual + NO_UPDATE:
            return self._is_due and not is_last
        return True

    def step_done(self, logged: dict[str, list[Number]], norm: Any = None) -> None:
        """`norm` is the gradient norm where the loop has measured it."""
        self._is_due, self._since, self._usual = True, 0, max(self._usual, self._since)
        if self._begun is not None:
            loop = self.loop
            made = loop.updated(loop.settings.hooked[0], logged)
            self._begun.boundary.step_done(made if norm is None else made._replace(grad_norm=norm))
            self.verifier.updated(logged)

    def serve(self) -> bool:
        """What has arrived; whether the run goes on. At a stop or a signal it is saved now, whatever the
        script does then; a library ends its loop itself."""
        begun, moves = self._begun, self.loop.moves
        if self.is_over or begun is None:
            return False
        self._is_due = False
        self.verifier.before()
        begun.boundary.serve()
        self.verifier.after()
        if begun.boundary.ending is not None:
            begun.boundary.read_back()
            begun.travel.save_last_now()
            if not isinstance(self.loop, DrivenLoop):
                self._hand_on(begun.boundary.ending)
            if self.verifier.is_done:
                self.conclude()
        elif self.loop.moves != moves:
            # With what was commanded there since: the script is still to come to this place.
            self.loop.came_from = cast(LoopState, copy_state(self.loop.state_dict()))
            self.passes.moved()
            self._is_due = True
        return begun.boundary.ending is None

    def _hand_on(self, ending: Ending) -> None:
        """A signal that was held back until the run was saved."""
        if ending.reason == "interrupted":
            self._conclude(events.Interrupted, signal=ending.signal, checkpoint=self.saved)
            raise_again(ending.signal)

    # --- epochs ---

    def goes_on(self) -> bool:
        """Whether another epoch comes."""
        total = self.loop.total
        return not self.is_over and (total is None or self.loop.epochs_done < total)

    def enter(self) -> bool:
        """The script begins to iterate; False where it is to be given nothing. Raises UserError."""
        if self.passes.inside:
            raise UserError(
                "run.batches within run.batches: a run has one place in its data;"
                " iterate over the other loader as it is"
            )
        if self.passes.epoch_is_over:
            self.end_epoch()
        return not self.is_over and self.passes.enter()

    def end_epoch(self) -> None:
        """The script has come to the end of the epoch that it was given."""
        if not self.passes.heading and not self.is_over:
            self._measuring.close_epoch()
            self.passes.leave(whole=False)

    def begin_loop(self, count: int) -> None:
        """A run.epochs loop of the script, of `count` epochs after those of the loops before it."""
        loop = self.loop
        loop.first_epoch, loop.epochs = self._loops_end, self._loops_end + count
        if loop.epochs_done < loop.first_epoch and not self.passes.heading and not self.is_over:
            # The loop before was left early: what it did not come to is passed over.
            self._measuring.close_epoch()
            loop.epochs_done = loop.first_epoch

    def leave_loop(self, *, whole: bool) -> None:
        """The script was given all its epochs, or has left the loop before."""
        self._left_early = not whole
        self._loops_end = self.loop.total or self._loops_end

    # --- numbers ---

    @property
    def is_between(self) -> bool:
        """Whether no update can come now."""
        return self._begun is not None and not self.passes.inside and self.passes.entered > 0

    def note(self, logged: dict[str, list[Number]]) -> None:
        """Numbers of no update: of this step."""
        update = Update(self.loop.step, self.loop.epoch, 0.0, logged, None)
        if self._begun is not None and not self._concluded:
            self._begun.boundary.read_back()
            found = {name: ([update.number], means([update], name)) for name in logged}
            self._begun.report.own_numbers(found)

    def evaluated(self, measure: Measure) -> dict[str, float] | None:
        if self.passes.heading or (self.is_over and self._begun is not None):
            return None
        return self.measured(measure, ends_epoch=not self.passes.inside)

    def measured(self, measure: Measure, *, ends_epoch: bool) -> dict[str, float]:
        found = self._measuring.evaluated(measure, ends_epoch=ends_epoch)
        self.verifier.measured(found)
        return found

    # --- the end ---

    def conclude(self, error: BaseException | None = None, signal: str = "") -> None:
        """The record is complete; a second time does nothing, in a forked child neither."""
        if self._concluded or os.getpid() != self._pid:
            return
        begun = self._begun
        if begun is None:
            self._concluded = True
            self._leave()
            self._abandon()
            return
        self.settle()
        begun.report.commit()
        begun.boundary.read_back()
        failed = error is not None and not isinstance(error, KeyboardInterrupt | SystemExit)
        if error is None and begun.boundary.ending is None:
            self.verifier.left()
        if failed and error is not None:
            self._conclude(events.Failed, reason=reason_of(error), where="", checkpoint="")
            return
        if self.passes.epoch_is_over:
            self.end_epoch()
        if begun.boundary.ending is None:
            begun.travel.save_last_now()
        else:
            self._hand_on(begun.boundary.ending)
        if isinstance(error, KeyboardInterrupt) or signal:
            self._conclude(events.Interrupted, signal=signal or "SIGINT", checkpoint=self.saved)
        else:
            self._conclude(events.Finished, **self._finished(begun))
        if self.verifier.is_done:
            self.verifier.leave()

    def _finished(self, begun: Begun) -> dict[str, Any]:
        ending, loop = begun.boundary.ending, self.loop
        stop = ending.stop if ending is not None else ()
        together = isinstance(loop, DrivenLoop) and not loop.together.alone
        early = self._left_early and ending is None and loop.has_epochs
        return {
            "reason": ending.reason if ending is not None else "completed",
            "test": None,
            "weights": "last",
            "best": None,
            "run": self.host.run.name,
            "weights_sha256": "" if together else weights_sha256(loop.registered.weights()),
            "lineage": tuple((step, command) for step, command, _ in (*loop.lineage, *stop)),
            "note": self._note(early),
        }

    def _note(self, early: bool) -> str:
        if isinstance(self.loop, DrivenLoop):
            return f"{self.loop.driver.name}'s checkpoint is {self.saved}" if self.saved else ""
        return f"the script left its loop in epoch {self.loop.epoch}" if early else ""

    def _conclude(self, kind: type[events.Event], **fields: Any) -> None:
        begun = self._begun
        assert begun is not None
        self._concluded = True
        begun.end(kind, **fields)
        self._leave()

    def _leave(self) -> None:
        for one in self.loop.settings.hooked:
            one.remove()
        self.host.close()

    def _abandon(self) -> None:
        if not self._start.resume:
            abandon_new(self.host.run)


def _verifier(loop: SteeredLoop, start: Start) -> Verifier:
    """Raises UserError where what the process before has seen cannot be read."""
    if not start.verify:
        return Verifier()
    seen = record.read(Path(start.path)) if start.resume else None
    return Undoing(loop, start.verify) if seen is None else Resuming(loop, seen)
