"""The end of a session: what is said of it, and which weights a run ends with."""

from dataclasses import dataclass
from typing import Literal

from trainconsole.engine import messages
from trainconsole.engine.messages import Entry, Event, Trouble
from trainconsole.engine.metrics import Tally
from trainconsole.engine.reporter import Reporter
from trainconsole.engine.trainer import Trainer

Keep = Literal["best", "last"]


@dataclass(frozen=True)
class Ending:
    """Why the loop ends; `keep` says which weights the run ends with, `stop` is the command that asked."""

    reason: Literal["completed", "stopped", "early_stopping", "interrupted", "nonfinite"]
    keep: Keep = "last"
    signal: str = ""
    trouble: Trouble | None = None
    stop: tuple[Entry, ...] = ()


def kept_at_the_end(trainer: Trainer) -> Keep:
    """With early stopping on and restore_best, a run that nobody stopped ends with its best weights."""
    stopping = trainer.config.early_stopping
    restore = stopping.patience is not None and stopping.restore_best and trainer.best is not None
    return "best" if restore else "last"


def conclude(trainer: Trainer, report: Reporter, ending: Ending) -> Event:
    """The last event of this session; for a run that is over, after the test."""
    if ending.reason == "interrupted":
        return report.emit(messages.Interrupted, signal=ending.signal, checkpoint="checkpoints/last.pt")
    if ending.trouble is not None:
        return report.emit(
            messages.Failed,
            reason=described(ending.trouble),
            where="host.log",
            kind="nonfinite",
            trouble=ending.trouble,
        )
    if ending.keep == "best":
        trainer.restore_best_weights()
    tally = _tested(trainer, report)
    return report.emit(
        messages.Finished,
        reason=ending.reason,
        test=tally.result() if tally else None,
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


def _tested(trainer: Trainer, report: Reporter) -> Tally | None:
    if trainer.data.test is None:
        return None
    report.publish("evaluating")
    return trainer.evaluate(trainer.data.test)


def described(trouble: Trouble) -> str:
    """One sentence about a non-finite update."""
    first = ", ".join(str(sample) for sample in trouble.samples[:8])
    more = f" and {len(trouble.samples) - 8} more" if len(trouble.samples) > 8 else ""
    return (
        f"the update of step {trouble.step} was withheld: not finite, first in {trouble.layer};"
        f" training samples {first}{more}"
    )
