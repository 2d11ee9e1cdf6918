"""Where a schedule that was chosen in mid-run leads, in words: what its name does not tell."""

from trainconsole.engine.config.schedules import Constant, ReduceOnPlateau
from trainconsole.engine.schedule import rate_ahead, rate_plan
from trainconsole.engine.schedule.rate_plan import Position
from trainconsole.engine.training import watched_metric
from trainconsole.engine.training.trainer import Trainer


def of(trainer: Trainer) -> str:
    """How far the rate still rises, and the one of the last update; what a plateau watches."""
    schedule = trainer.config.schedule
    if isinstance(schedule, Constant):
        return ""
    if isinstance(schedule, ReduceOnPlateau):
        return f"watches the {part(trainer)} {watched_metric.of_plateau(schedule, trainer.config)}"
    last = f"{rate_plan.rate(trainer.plan, _last(trainer)):.3g} at the end"
    rises = rate_ahead.rises(trainer.plan, trainer.position, trainer.end)
    return f"{rises}, then {last}" if rises else f"then {last}"


def part(trainer: Trainer) -> str:
    """Which part plateaus and early stopping look at."""
    return "training" if trainer.data.val is None else "validation"


def _last(trainer: Trainer) -> Position:
    """Before the last update of the run as it is now planned."""
    end = trainer.end
    return Position(end.step - 1, end.epochs - 1 / max(end.step / end.epochs, 1))
