"""The training thread: drives the Trainer from step boundary to step boundary. The only loop.

At a boundary: commands -> batch -> update -> schedule. At the end of an epoch: evaluate -> `epoch` event ->
plateau -> checkpoint; whether the run is over, patience included, is decided after the commands of the
boundary that follows, so that every beginning decides it the same way.
"""

from collections.abc import Callable

from trainconsole.engine.boundary.boundary import Boundary
from trainconsole.engine.boundary.command_queue import Inbox
from trainconsole.engine.boundary.ending import Ending
from trainconsole.engine.protocol import events
from trainconsole.engine.protocol.script import Script
from trainconsole.engine.protocol.status import Stage
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.rewind.rewind import Travel
from trainconsole.engine.session.ending import conclude, over
from trainconsole.engine.session.epoch_end import Epochs
from trainconsole.engine.steering.steered_trainer import SteeredTrainer


class Loop:
    """Runs in one thread: requests come in by `inbox`, all that is to be said goes out by `report`."""

    def __init__(
        self, trainer: SteeredTrainer, report: Reporter, travel: Travel, script: Script, inbox: Inbox
    ) -> None:
        self._trainer = trainer
        self._report = report
        self._travel = travel
        self._boundary = Boundary(trainer, report, travel, script, inbox, self._evaluate)
        self._epochs = Epochs(trainer, report, travel, self._boundary.meter)

    def run(self) -> events.Event:
        """Train to the end, a stop or a signal; returns the last event. Other exceptions pass through."""
        trainer, boundary = self._trainer, self._boundary
        self._report.publish("training", in_force=trainer.in_force())
        self._report.watch.start()
        while boundary.ending is None:
            if trainer.epoch_complete:
                self._end_epoch()
                continue
            boundary.serve()
            if boundary.ending is None and trainer.starts_epoch:
                boundary.ending = over(trainer)
            if boundary.ending is None:
                boundary.step_done(trainer.train_step())
        self._report.watch.stop()
        return self._conclude(boundary.ending)

    def fail(self, reason: str) -> None:
        """Something broke: what was trained so far is recorded, and why it ended. Raises OSError."""
        self._report.commit()
        self._boundary.meter.read_back(stop_at_trouble=False)
        saved = self._travel.save_what_stands()
        self._report.emit(events.Failed, reason=reason, where="host.log", checkpoint=saved)
        self._report.publish("finished", time_left=0.0)

    def close(self) -> None:
        """Let go of the run directory."""
        self._travel.close()
        self._report.recorder.close()

    def _end_epoch(self) -> None:
        boundary = self._boundary
        boundary.read_back()
        if boundary.ending is not None or not self._trainer.epoch_complete:
            return
        speed = boundary.meter.epoch_speed()
        val = self._epochs.validated(boundary.ends_now)
        if not boundary.breaks_off():
            self._epochs.close(val, speed)

    def _evaluate(self, stop: Callable[[], bool], then: Stage) -> None:
        self._epochs.evaluate(stop, then)

    def _conclude(self, ending: Ending) -> events.Event:
        self._report.commit()
        self._boundary.read_back()
        self._travel.save_last_now()
        for request in self._boundary.waiting.left():
            self._report.reject(request, "the run is ending")
        event = conclude(self._trainer, self._report, ending)
        self._report.publish("finished", time_left=0.0)
        return event
