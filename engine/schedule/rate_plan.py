"""The learning rate as a pure function of progress: rate = scale x curve(base, time). No torch.

A `Plan` is all that the rate depends on. It is immutable, made by `start`, and every command gives a new
one. It holds plain fields and goes into checkpoints through msgspec.to_builtins and msgspec.convert.
"""

from math import floor, isfinite, nextafter, ulp

from msgspec import Struct
from msgspec.structs import replace

from trainconsole.engine.config.schedules import AnySchedule, OneCycle, ReduceOnPlateau
from trainconsole.engine.schedule.curves import CEILING, STAIRS, curve, spans_run, warmed

HIGHEST = 100.0
"""The highest rate that can be asked for."""


class Position(Struct, frozen=True):
    """Where a run stands: updates done, and whole epochs done plus the share of the current one."""

    step: int
    epochs: float


class Plateau(Struct, frozen=True):
    """The state of reduce-on-plateau, named as in torch; `reduction` is the product of its cuts so far."""

    best: float | None = None
    bad_epochs: int = 0
    cooldown: int = 0
    reduction: float = 1.0


class Plan(Struct, frozen=True, kw_only=True):
    """Everything that the rate depends on.

    base: rate at the start of the curve (one-cycle: its peak). scale: what rates set by hand multiply it by.
    origin: where the schedule starts. length: the curve's own length where the schedule leaves it out, span:
    the room for it in the run; both in the schedule's unit, after the warm-up, and equal until `stretch`.
    since, time, slope: the curve's time is time + (elapsed - since) * slope.
    """

    schedule: AnySchedule
    base: float
    scale: float = 1.0
    origin: Position
    length: float = 0.0
    span: float = 0.0
    since: float = 0.0
    time: float = 0.0
    slope: float = 1.0
    plateau: Plateau = Plateau()


def start(schedule: AnySchedule, base: float, at: Position, end: Position) -> Plan:
    """The plan of a schedule that starts at `at` in a run that ends at `end`; a `max_lr` replaces `base`."""
    if isinstance(schedule, OneCycle) and schedule.max_lr is not None:
        base = schedule.max_lr
    room = max(_between(schedule, at, end) - schedule.warmup, 0.0)
    return Plan(schedule=schedule, base=base, origin=at, length=room, span=room)


def rate(plan: Plan, at: Position) -> float:
    """The rate of the update that follows `at`: finite, and never below 0."""
    return min(plan.scale * unscaled(plan, at), CEILING)


def unscaled(plan: Plan, at: Position) -> float:
    """The rate that follows `at` before it is scaled by hand: what torch's scheduler gives."""
    elapsed = max(_between(plan.schedule, plan.origin, at), 0.0)
    if elapsed < plan.schedule.warmup:
        value = warmed(plan.schedule, plan.base, elapsed)
    else:
        value = curve(plan.schedule, plan.base, _curve_time(plan, at), plan.length)
    return value * plan.plateau.reduction


def change(plan: Plan, schedule: AnySchedule, at: Position, end: Position) -> Plan:
    """Another schedule from `at` on: it starts from the rate in force, or from the base where that is 0.

    Parameters may say otherwise: a warm-up rises to the rate in force, `start_factor` multiplies it, and a
    one-cycle starts at its peak / div_factor: the peak is `max_lr`, without one the rate in force.
    """
    return start(schedule, rate(plan, at) or plan.base, at, end)


def peak(plan: Plan) -> tuple[float, float]:
    """The highest rate of a one-cycle, and when it comes: after `origin`, in the schedule's unit."""
    schedule = plan.schedule
    assert isinstance(schedule, OneCycle)
    turn = max(schedule.pct_start * (schedule.total_steps or plan.length) - 1, 0.0)
    stretched = plan.since + (turn - plan.time) / plan.slope if plan.slope > 0 else turn
    return plan.scale * plan.base, schedule.warmup + stretched


def set_rate(plan: Plan, value: float, at: Position) -> Plan:
    """The plan scaled so that the rate at `at` is `value` (to one ulp) and the rest follows in proportion.

    Raises ValueError, with a text for the user, if value is not in 0 < value <= 100 or the curve is at 0.
    """
    _check(value)
    name = plan.schedule.__struct_config__.tag
    if unscaled(plan, at) == 0:
        raise ValueError(f"the {name} schedule is at 0 here: change the schedule first, then the rate")
    scaled = _settled(plan, value, at)
    if abs(rate(scaled, at) - value) > ulp(value) or not 0 < scaled.scale < float("inf"):
        raise ValueError(f"{value:g} is out of reach of the {name} schedule, which is near 0 here")
    return scaled


def rebase(plan: Plan, base: float, at: Position, *, exact: bool) -> Plan:
    """The plan on a new base, hand scaling dropped; with `exact` the rate at `at` is `base` itself.

    Raises ValueError as `set_rate` does.
    """
    _check(base)
    fresh = replace(plan, base=base, scale=1.0)
    return set_rate(fresh, base, at) if exact else fresh


def stretch(plan: Plan, at: Position, end: Position) -> Plan:
    """The plan for a run that now ends at `end`: what remains of the curve fills what remains of the run.

    The rate at `at` stays. A schedule with an explicit length, or without an end, is left as it is.
    """
    span = max(_between(plan.schedule, plan.origin, end) - plan.schedule.warmup, 0.0)
    if not spans_run(plan.schedule) or span == plan.span:
        return plan
    elapsed, time = _proper(plan, at), _curve_time(plan, at)
    if time <= 0:
        fresh = replace(plan, length=span, span=span, since=0.0, time=0.0, slope=1.0)
        return fresh if rate(fresh, at) == rate(plan, at) else _settled(fresh, rate(plan, at), at)
    last = 1.0 if isinstance(plan.schedule, OneCycle) else 0.0  # torch's cycle is over at length - 1
    room = span - last - elapsed
    if room <= 0:
        return plan
    slope = max(plan.length - last - time, 0.0) / room
    return replace(plan, span=span, since=elapsed, time=time, slope=slope)


def observe(plan: Plan, value: float, at: Position, *, maximise: bool) -> Plan:
    """The plan after an epoch that ended at `at` with a metric of `value`: torch's ReduceLROnPlateau.step.

    A value that is not finite counts as a bad epoch; nothing counts before the warm-up is over.
    """
    schedule, state = plan.schedule, plan.plateau
    if not isinstance(schedule, ReduceOnPlateau) or _proper(plan, at) < 0:
        return plan
    better = _is_better(schedule, value, state.best, maximise)
    best = value if better else state.best
    bad = 0 if better or state.cooldown > 0 else state.bad_epochs + 1
    after = Plateau(best, bad, max(state.cooldown - 1, 0), state.reduction)
    if bad > schedule.patience:
        after = Plateau(best, 0, schedule.cooldown, _reduced(schedule, plan.base, state.reduction))
    return replace(plan, plateau=after)


def _between(schedule: AnySchedule, first: Position, second: Position) -> float:
    """The time from `first` to `second` in the schedule's unit."""
    if schedule.unit == "step":
        return float(second.step - first.step)
    return _snapped(second.epochs - first.epochs)


def _snapped(time: float) -> float:
    """`time`, or the whole number that only rounding keeps it from: 10.3 - 0.3 is 10 epochs."""
    return float(round(time)) if abs(time - round(time)) < 1e-9 else time


def _proper(plan: Plan, at: Position) -> float:
    """The time since the warm-up ended, in the schedule's unit; below 0 while it lasts."""
    return _snapped(_between(plan.schedule, plan.origin, at) - plan.schedule.warmup)


def _curve_time(plan: Plan, at: Position) -> float:
    """The time on the curve: 0 until the warm-up ends, whole epochs for stairs, stretched where asked."""
    if plan.schedule.unit == "epoch" and isinstance(plan.schedule, STAIRS):
        first = plan.origin.epochs + plan.schedule.warmup
        return max(float(floor(_snapped(at.epochs)) - floor(_snapped(first))), 0.0)
    elapsed = _proper(plan, at)
    if spans_run(plan.schedule) and elapsed >= plan.span:
        return plan.length
    return max(plan.time + (elapsed - plan.since) * plan.slope, 0.0)


def _settled(plan: Plan, value: float, at: Position) -> Plan:
    """The plan with the scale that brings the rate at `at` nearest to `value`, of the floats around it."""
    unit = unscaled(plan, at)
    guess = value / unit if unit > 0 else 1.0
    near = (guess, nextafter(guess, 0.0), nextafter(guess, float("inf")))
    return replace(plan, scale=min(near, key=lambda scale: abs(scale * unit - value)))


def _check(value: float) -> None:
    if not 0 < value <= HIGHEST:
        raise ValueError(f"a learning rate is above 0 and at most {HIGHEST:g}, not {value:g}")


def _is_better(schedule: ReduceOnPlateau, value: float, best: float | None, maximise: bool) -> bool:
    if best is None or not isfinite(value):
        return isfinite(value)
    sign = 1 if maximise else -1
    if schedule.threshold_mode == "rel":
        return sign * value > sign * best * (1 + sign * schedule.threshold)
    return sign * value > sign * (best + sign * schedule.threshold)


def _reduced(schedule: ReduceOnPlateau, base: float, reduction: float) -> float:
    """`reduction` after one more cut, which is left out where it would lower the rate by `eps` or less."""
    old = base * reduction
    new = max(old * schedule.factor, schedule.min_lr)
    return new / base if old - new > schedule.eps else reduction
