"""Where a schedule that was chosen in mid-run leads, in words: what its name does not tell."""

from trainconsole.engine.config.schedules import Constant, OneCycle, ReduceOnPlateau
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.rate_plan import Position
from trainconsole.engine.training import watched_metric
from trainconsole.engine.training.trainer import Trainer


def of(trainer: Trainer) -> str:
    """The rate of the last update and, of a one-cycle, its peak; what a plateau watches."""
    schedule = trainer.config.schedule
    if isinstance(schedule, Constant):
        return ""
    if isinstance(schedule, ReduceOnPlateau):
        return f"watches the {part(trainer)} {watched_metric.of_plateau(schedule, trainer.config)}"
    last = f"{rate_plan.rate(trainer.plan, _last(trainer)):.3g} at the end"
    if not isinstance(schedule, OneCycle):
        return f"then {last}"
    highest, after = rate_plan.peak(trainer.plan)
    in_steps = schedule.unit == "step"
    when = f"at step {trainer.plan.origin.step + after:.0f}" if in_steps else f"after {after:.3g} epochs"
    return f"peaks at {highest:.3g} {when}, then {last}"


def part(trainer: Trainer) -> str:
    """Which part plateaus and early stopping look at."""
    return "training" if trainer.data.val is None else "validation"


def _last(trainer: Trainer) -> Position:
    """Before the last update of the run as it is now planned."""
    end = trainer.end
    return Position(end.step - 1, end.epochs - 1 / max(end.step / end.epochs, 1))
