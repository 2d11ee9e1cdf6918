"""The curves of torch.optim.lr_scheduler in closed form: a rate from a base rate and a time. No torch.

Formulas and parameter names are those of torch 2.x; `t` and lengths count in the schedule's `unit` from
the start of the schedule proper (after its warm-up). A curve with an end holds its last value.
"""

from bisect import bisect_right
from math import cos, floor, pi

from trainconsole.engine.config.schedules import (
    AnySchedule,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
    ReduceOnPlateau,
    Staircase,
    StepDecay,
)

CEILING = 1e30
"""No rate, and no power of gamma, is above it: a growing curve stays finite."""

STAIRS = (StepDecay, MultiStep, Staircase, Exponential)
"""The curves that, counted in epochs, change at epoch boundaries only."""


def curve(schedule: AnySchedule, base: float, t: float, length: float) -> float:
    """The rate at time `t` >= 0, in `base`'s units; `length` is used where the schedule leaves its own out.

    `base` is the rate at the start, but the peak for one-cycle. Reduce-on-plateau, whose reduction is kept
    by the caller, is constant here.
    """
    match schedule:
        case Constant() | ReduceOnPlateau():
            return base
        case StepDecay() | Staircase():
            return base * _power(schedule.gamma, floor(t / schedule.step_size))
        case MultiStep():
            return base * _power(schedule.gamma, bisect_right(schedule.milestones, t))
        case Exponential():
            return base * _power(schedule.gamma, t)
        case Linear() | Polynomial() | Cosine() | OneCycle():
            return _with_end(schedule, base, t, own_length(schedule) or length)
        case CosineRestarts():
            return _restarts(schedule, base, t)


def own_length(schedule: AnySchedule) -> int | None:
    """The explicit length of a curve that has an end; None where it is left out or there is no end."""
    match schedule:
        case Linear() | Polynomial():
            return schedule.total_iters
        case Cosine():
            return schedule.T_max
        case OneCycle():
            return schedule.total_steps
        case _:
            return None


def spans_run(schedule: AnySchedule) -> bool:
    """Whether the curve has an end and leaves its length out, so that it reaches to the end of the run."""
    return isinstance(schedule, Linear | Polynomial | Cosine | OneCycle) and own_length(schedule) is None


def warmed(schedule: AnySchedule, base: float, t: float) -> float:
    """The rate at time `t` of the warm-up, 0 <= t < warmup: torch's LinearLR from `warmup_factor` to 1.

    It rises to `base`, for one-cycle to `base / div_factor`, where torch's SequentialLR lets it rise to.
    """
    top = base / schedule.div_factor if isinstance(schedule, OneCycle) else base
    return top * (schedule.warmup_factor + (1 - schedule.warmup_factor) * t / schedule.warmup)


def _power(gamma: float, exponent: float) -> float:
    try:
        return min(float(gamma**exponent), CEILING)
    except OverflowError:
        return CEILING


def _with_end(
    schedule: Linear | Polynomial | Cosine | OneCycle, base: float, t: float, length: float
) -> float:
    match schedule:
        case Linear():
            return base * _linear(schedule.start_factor, schedule.end_factor, _share(t, length))
        case Polynomial():
            return base * float((1 - _share(t, length)) ** schedule.power)
        case Cosine():
            return _half_cosine(base, schedule.eta_min, _share(t, length))
        case OneCycle():
            return _one_cycle(schedule, base, t, length)


def _share(t: float, length: float) -> float:
    """The part of `length` that is over at `t`, 0 to 1; at time 0 always 0, also without any length."""
    if t <= 0:
        return 0.0
    return 1.0 if t >= length else t / length


def _linear(start: float, end: float, share: float) -> float:
    return end if share >= 1 else start + (end - start) * share


def _half_cosine(start: float, end: float, share: float) -> float:
    """Half a cosine wave from `start` to `end`, both exact."""
    if share <= 0:
        return start
    return end if share >= 1 else end + (start - end) * (1 + cos(pi * share)) / 2


def _restarts(schedule: CosineRestarts, base: float, t: float) -> float:
    cycle = schedule.T_0
    if schedule.T_mult == 1:
        t %= cycle
    while t >= cycle:
        t, cycle = t - cycle, cycle * schedule.T_mult
    return _half_cosine(base, schedule.eta_min, t / cycle)


def _one_cycle(schedule: OneCycle, peak: float, t: float, length: float) -> float:
    """OneCycleLR in two phases: up until pct_start * length - 1, down until length - 1, as in torch.

    Where the first of these is below 0 the cycle begins on its way down, as torch's does. With a length
    below 2 there is no room for a cycle: the rate stays where the cycle would start.
    """
    initial = peak / schedule.div_factor
    if length < 2:
        return initial
    anneal = _half_cosine if schedule.anneal_strategy == "cos" else _linear
    turn, last, lowest = schedule.pct_start * length - 1, length - 1, initial / schedule.final_div_factor
    if t >= last:
        return lowest
    if t <= turn:
        return anneal(initial, peak, t / turn if turn > 0 else 1.0)
    return anneal(peak, lowest, (t - turn) / (last - turn))
