"""The test at the end of a run: of the weights that it ends with and, where those are the last ones and not
the best, of the best too."""

from dataclasses import dataclass

from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.session import nonfinite_evaluation
from trainconsole.engine.tensors.copies import copy_state
from trainconsole.engine.training.metrics import Tally
from trainconsole.engine.training.trainer import Trainer


@dataclass(frozen=True)
class Tested:
    """`kept` is of the weights that the trainer has; `best` None where they are the best, or there is none.
    Both are None without a test part."""

    kept: Tally | None = None
    best: Tally | None = None


def tested(trainer: Trainer, report: Reporter, *, has_best: bool) -> Tested:
    """Measure; `has_best` says that the trainer has its best weights now. They are the same afterwards."""
    source = trainer.data.test
    if source is None:
        return Tested()
    report.publish("evaluating")
    kept = trainer.evaluate(source)
    if kept is not None:
        nonfinite_evaluation.tell(trainer, report, "test", kept.result())
    best = trainer.best
    others = not has_best and best is not None and trainer.best_state is not None and best.step < trainer.step
    return Tested(kept, _of_the_best(trainer, report) if others else None)


def _of_the_best(trainer: Trainer, report: Reporter) -> Tally | None:
    """None where there is no memory for a copy of the weights, or the run is to be left."""
    assert trainer.data.test is not None
    state = trainer.state_dict()
    try:
        kept = copy_state({"model": state["model"], "loss": state["loss"]})
    except (RuntimeError, MemoryError):
        return None
    try:
        trainer.restore_best_weights()
        return trainer.evaluate(trainer.data.test, report.leaving.is_set)
    finally:
        trainer.load_weights(kept)
