"""The end of a session: what is said of it, and which weights a run ends with."""

from trainconsole.engine.boundary.ending import Ending, Keep
from trainconsole.engine.optim import optimizers
from trainconsole.engine.protocol import events
from trainconsole.engine.protocol.events import Event
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.session.final_test import tested
from trainconsole.engine.training.trainer import Trainer


def kept_at_the_end(trainer: Trainer) -> Keep:
    """With early stopping on and restore_best, a run that nobody stopped ends with its best weights."""
    stopping = trainer.config.early_stopping
    restore = stopping.patience is not None and stopping.restore_best and trainer.best is not None
    return "best" if restore else "last"


def over(trainer: Trainer) -> Ending | None:
    """Whether a run that stands at the start of an epoch is over; the same at every beginning."""
    if trainer.done:
        return Ending("completed", keep=kept_at_the_end(trainer))
    if trainer.out_of_patience:
        return Ending("early_stopping", keep=kept_at_the_end(trainer))
    return None


def conclude(trainer: Trainer, report: Reporter, ending: Ending) -> Event:
    """The last event of this session; for a run that is over, after the test."""
    if ending.reason == "interrupted":
        return report.emit(events.Interrupted, signal=ending.signal, checkpoint="checkpoints/last.pt")
    if ending.trouble is not None:
        return report.emit(
            events.Failed,
            reason=ending.trouble.described(),
            where="host.log",
            kind="nonfinite",
            trouble=ending.trouble,
        )
    # As much memory as the test of other weights takes for a copy of these.
    optimizers.drop_gradients(trainer.optimizer)
    if ending.keep == "best":
        trainer.restore_best_weights()
    found = tested(trainer, report, has_best=ending.keep == "best")
    tally = found.kept
    report.pass_on()
    return report.emit(
        events.Finished,
        reason=ending.reason,
        test=tally.result() if tally else None,
        weights=ending.keep,
        test_best=found.best.result() if found.best else None,
        best=trainer.best,
        run=report.recorder.path.name,
        weights_sha256=trainer.weights_sha256(),
        lineage=tuple((step, command) for step, command, _ in (*trainer.lineage, *ending.stop)),
        confusion=_rows(tally.confusion()) if tally else None,
        classes=trainer.data.classes,
        note=trainer.data.note,
    )


def _rows(confusion: list[list[int]] | None) -> tuple[tuple[int, ...], ...] | None:
    return None if confusion is None else tuple(tuple(row) for row in confusion)
