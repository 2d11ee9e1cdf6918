"""What of a schedule is still to come, where a change of the rate now moves it too. No torch."""

from trainconsole.engine.config.schedules import CosineRestarts, Linear, OneCycle
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.rate_plan import Plan, Position

RISING = (CosineRestarts, Linear, OneCycle)
"""The curves that may rise; before any other one only the warm-up does."""
SAMPLES = 256
"""Positions looked at over the rest of a run, beside those where a rate is known to be highest: 1.5 ms."""
CLEARLY = 1.001


def rises(plan: Plan, at: Position, end: Position) -> str:
    """'rises to 0.1 at step 300' where the rate after `at` will be above the one at `at`, else ""."""
    schedule, first = plan.schedule, plan.origin
    by_step = schedule.unit == "step"
    begun = at.step - first.step if by_step else at.epochs - first.epochs
    if begun >= schedule.warmup and not isinstance(schedule, RISING):
        return ""
    highest = max(_to_come(plan, at, end), key=lambda position: rate_plan.rate(plan, position), default=at)
    rate = rate_plan.rate(plan, highest)
    if rate <= CLEARLY * rate_plan.rate(plan, at):
        return ""
    return f"rises to {rate:.3g} at {f'step {highest.step}' if by_step else f'epoch {highest.epochs:.3g}'}"


def _to_come(plan: Plan, at: Position, end: Position) -> list[Position]:
    """Positions after `at` and before `end`: highest of warm-up and cycle, then even ones."""
    turns = [plan.schedule.warmup] + (
        [rate_plan.peak(plan)[1]] if isinstance(plan.schedule, OneCycle) else []
    )
    known = [Position(plan.origin.step + round(t), plan.origin.epochs + t) for t in turns]
    steps, epochs = end.step - at.step - 1, end.epochs - at.epochs
    count = min(SAMPLES, steps)
    shares = [(i + 1) / count for i in range(count)] if count > 0 else []
    even = [
        Position(at.step + round(steps * s), at.epochs + epochs * s * steps / (steps + 1)) for s in shares
    ]
    if plan.schedule.unit == "step":
        return [p for p in (*known, *even) if at.step < p.step < end.step]
    return [p for p in (*known, *even) if at.epochs < p.epochs < end.epochs]
