"""One session of a script's run, from `attach` to the end of the process."""

import os
from pathlib import Path
from typing import Any

from trainconsole.engine.attach.beginning import Begun, begin
from trainconsole.engine.attach.host import OwnHost, raise_again
from trainconsole.engine.attach.measuring import Measure, Measuring
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.host.host import reason_of
from trainconsole.engine.own_loop.numbers import Number
from trainconsole.engine.own_loop.passes import Passes
from trainconsole.engine.own_loop.steered_loop import SteeredLoop
from trainconsole.engine.protocol import events
from trainconsole.engine.runs.launch import abandon_new
from trainconsole.engine.runs.scripts import Start
from trainconsole.engine.tensors.digest import weights_sha256
from trainconsole.engine.verify import record
from trainconsole.engine.verify.resuming import Resuming
from trainconsole.engine.verify.undoing import Undoing
from trainconsole.engine.verify.verifier import Opened, Verifier

LAST = "checkpoints/last.pt"


class Session:
    """Used by the thread that trains. Until the first boundary nothing of it is in the record."""

    def __init__(self, loop: SteeredLoop, host: OwnHost, config: RunConfig, start: Start) -> None:
        self.loop = loop
        self.host = host
        self.seed = config.seed
        self.passes = Passes(loop)
        self._config = config
        self._start = start
        self._measuring = Measuring(loop)
        self._begun: Begun | None = None
        self._pid = os.getpid()
        self._seen = 0
        self._concluded = False
        self._left_early = True
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
        count = 0
        for one in self.loop.settings.hooked:
            count += one.updates
        made, self._seen = count != self._seen, count
        return made

    def step_done(self, logged: dict[str, list[Number]]) -> None:
        if self._begun is not None:
            loop = self.loop
            self._begun.boundary.step_done(loop.updated(loop.settings.hooked[0], logged))
            self.verifier.updated(logged)

    def serve(self) -> None:
        """What has arrived. At a stop or a signal the run is saved now, whatever the script does then."""
        begun, moves = self._begun, self.loop.moves
        if begun is None:
            return
        self.verifier.before()
        begun.boundary.serve()
        self.verifier.after()
        if begun.boundary.ending is not None:
            begun.boundary.read_back()
            begun.travel.save_last_now()
            if begun.boundary.ending.reason == "interrupted":
                signal = begun.boundary.ending.signal
                self._conclude(events.Interrupted, signal=signal, checkpoint=LAST)
                raise_again(signal)
            if self.verifier.is_done:
                self.conclude()
        elif self.loop.moves != moves:
            self.passes.moved()

    # --- epochs ---

    def goes_on(self) -> bool:
        """Whether another epoch comes."""
        total = self.loop.total
        return not self.is_over and (total is None or self.loop.epochs_done < total)

    def enter(self) -> bool:
        """The script begins to iterate; False where it is to be given nothing."""
        if self.passes.epoch_is_over:
            self.end_epoch()
        return not self.is_over and self.passes.enter()

    def end_epoch(self) -> None:
        """The script has come to the end of the epoch that it was given."""
        if not self.passes.heading and not self.is_over:
            self._measuring.close_epoch()
            self.passes.leave(whole=False)

    def loop_is_over(self) -> None:
        """The script was given all its epochs."""
        self._left_early = False

    # --- numbers ---

    @property
    def is_between(self) -> bool:
        """Whether no update can come now."""
        return self._begun is not None and not self.passes.inside and self.passes.entered > 0

    def note(self, logged: dict[str, list[Number]]) -> None:
        """Numbers of no update: of this step."""

    def evaluated(self, measure: Measure) -> dict[str, float] | None:
        if self.passes.heading or (self.is_over and self._begun is not None):
            return None
        found = self._measuring.evaluated(measure, ends_epoch=not self.passes.inside)
        self.verifier.measured(found)
        return found

    # --- the end ---

    def conclude(self, error: BaseException | None = None) -> None:
        """The record is complete; a second time does nothing, in a forked child neither."""
        if self._concluded or os.getpid() != self._pid:
            return
        begun = self._begun
        if begun is None:
            self._concluded = True
            self._leave()
            self._abandon()
            return
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
        if isinstance(error, KeyboardInterrupt):
            self._conclude(events.Interrupted, signal="SIGINT", checkpoint=LAST)
        else:
            self._conclude(events.Finished, **self._finished(begun))
        if self.verifier.is_done:
            self.verifier.leave()

    def _finished(self, begun: Begun) -> dict[str, Any]:
        ending, loop = begun.boundary.ending, self.loop
        stop = ending.stop if ending is not None else ()
        early = self._left_early and ending is None and loop.has_epochs
        return {
            "reason": ending.reason if ending is not None else "completed",
            "test": None,
            "weights": "last",
            "best": None,
            "run": self.host.run.name,
            "weights_sha256": weights_sha256(loop.registered.weights()),
            "lineage": tuple((step, command) for step, command, _ in (*loop.lineage, *stop)),
            "note": f"the script left its loop in epoch {loop.epoch}" if early else "",
        }

    def _conclude(self, kind: type[events.Event], **fields: Any) -> None:
        begun = self._begun
        assert begun is not None
        self._concluded = True
        begun.report.watch.stop()
        for request in begun.boundary.waiting.left():
            begun.report.reject(request, "the run is ending")
        begun.report.emit(kind, **fields)
        begun.report.publish("finished", time_left=0.0)
        begun.travel.close()
        begun.report.recorder.close()
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
