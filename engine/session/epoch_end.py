"""The end of an epoch, and an evaluation on request: what is measured, and what is said of it."""

from collections.abc import Callable

from trainconsole.engine.protocol import events
from trainconsole.engine.protocol.status import Stage
from trainconsole.engine.reporting.readback import Meter
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.rewind.rewind import Travel
from trainconsole.engine.session import nonfinite_evaluation
from trainconsole.engine.steering.steered_trainer import SteeredTrainer
from trainconsole.engine.training.step import Step


class Epochs:
    """Used by the training thread, which has read back: all steps of the epoch are counted."""

    def __init__(self, trainer: SteeredTrainer, report: Reporter, travel: Travel, meter: Meter[Step]) -> None:
        self._trainer = trainer
        self._report = report
        self._travel = travel
        self._meter = meter

    def validated(self, stop: Callable[[], bool]) -> dict[str, float] | None:
        """Metrics of the validation data; None where there is none, or where `stop` broke it off."""
        if self._trainer.data.val is None:
            return None
        self._report.publish("evaluating")
        tally = self._trainer.evaluate(self._trainer.data.val, stop)
        if tally is None:
            return None
        measured = tally.result()
        nonfinite_evaluation.tell(self._trainer, self._report, "val", measured)
        return measured

    def close(self, val: dict[str, float] | None, speed: float) -> None:
        """Count the epoch, trained at `speed`, whose validation came to `val`; save where it is time."""
        trainer, meter = self._trainer, self._meter
        train = trainer.epoch_means()
        if trainer.close_epoch(train, val):
            self._travel.keep_best()
        self._report.emit(
            events.EpochEnded,
            epoch=trainer.epochs_done,
            train=train,
            val=val,
            lr=meter.last_rate,
            steps_per_second=speed,
            best=trainer.best,
        )
        meter.begin_epoch()
        if self._travel.saver.due(self._report.watch.seconds, epoch_end=True):
            self._travel.save_last()
        self._report.publish("training", in_force=trainer.in_force())

    def evaluate(self, stop: Callable[[], bool], then: Stage) -> None:
        """On request: touches neither best nor patience. The stage is `then` afterwards."""
        trainer = self._trainer
        val = self.validated(stop)
        self._report.publish(then)
        if trainer.data.val is not None and val is None:
            return
        self._report.emit(
            events.Evaluated,
            epoch=trainer.epoch,
            train=trainer.epoch_means(),
            val=val,
            lr=self._meter.last_rate,
            steps_per_second=self._report.status.steps_per_second,
            best=trainer.best,
        )
