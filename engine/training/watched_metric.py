"""Which metric decides what: best, early stopping and the plateau of a schedule. No torch.

`evaluation.metric`, where it is given, is what all three go by. Otherwise early stopping and plateaus watch
the loss, and the best epoch is by what early stopping watches or, where it is off, by accuracy or mae.
Each looks at the validation part, or at the training part where there is none.
"""

from math import isfinite

from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.config.schedules import AnySchedule
from trainconsole.engine.config.tasks import METRICS, maximised
from trainconsole.engine.protocol.events import Best


def of_patience(config: RunConfig) -> str:
    """What early stopping watches."""
    return config.early_stopping.metric or config.evaluation.metric or "loss"


def of_plateau(schedule: AnySchedule, config: RunConfig) -> str:
    """What reduce_on_plateau watches."""
    return getattr(schedule, "metric", None) or config.evaluation.metric or "loss"


def of_best(config: RunConfig, task: str) -> str:
    """What decides which epoch is best, and so which weights early stopping restores."""
    if config.evaluation.metric is not None:
        return config.evaluation.metric
    return of_patience(config) if config.early_stopping.patience is not None else METRICS[task][0]


def conflict(config: RunConfig) -> str:
    """What to say where early stopping would restore another epoch than the best it saw; "" where not."""
    best, stopping = config.evaluation.metric, config.early_stopping
    if stopping.patience is None or not stopping.restore_best or best in (None, of_patience(config)):
        return ""
    return (
        f"early stopping watches {of_patience(config)} and would restore the best by {best}\n"
        "Leave out early_stopping.metric or evaluation.metric, or set early_stopping.restore_best = false."
    )


def better(best: Best | None, metric: str, seen: dict[str, float]) -> bool:
    """Whether an epoch with metrics `seen` is the best by `metric`. What is not finite never is; a best by
    another metric gives way."""
    value = seen.get(metric, float("nan"))
    known = best.value if best is not None and best.metric == metric else None
    if known is None or not isfinite(value):
        return isfinite(value)
    return value > known if maximised(metric) else value < known
