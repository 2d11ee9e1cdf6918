"""Learning-rate schedules that a preset or a command can choose by name, as torch has them. No torch."""

from typing import Annotated, Literal

from msgspec import Meta

from trainconsole.engine.config.tasks import check_metric
from trainconsole.engine.config.types import (
    Count,
    Named,
    NonNegative,
    Positive,
    Rate,
    Size,
)

Clock = Literal["step", "epoch"]


class Schedule(Named, frozen=True, kw_only=True):
    """Lengths (step_size, T_max, total_iters, warmup, ...) count in `unit`, from where the schedule starts.

    A length left out spans what remains of the run. `warmup` raises the rate linearly from `warmup_factor`
    times its value; the schedule proper starts after it.
    """

    unit: Clock = "step"
    warmup: NonNegative = 0.0
    warmup_factor: Annotated[float, Meta(gt=0, le=1)] = 0.1


class Constant(Schedule, frozen=True, kw_only=True, tag="constant"):
    """The same rate throughout."""


class StepDecay(Schedule, frozen=True, kw_only=True, tag="step"):
    """torch StepLR: times `gamma` every `step_size` epochs."""

    unit: Clock = "epoch"
    step_size: Count = 10
    gamma: Positive = 0.1


class MultiStep(Schedule, frozen=True, kw_only=True, tag="multistep"):
    """torch MultiStepLR: times `gamma` at each of the `milestones`."""

    unit: Clock = "epoch"
    milestones: Annotated[tuple[Count, ...], Meta(min_length=1)]
    gamma: Positive = 0.1

    def __post_init__(self) -> None:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones must rise")


class Staircase(Schedule, frozen=True, kw_only=True, tag="staircase"):
    """gamma ** floor(step / step_size): exponential decay in flat stairs, counted in steps."""

    step_size: Count = 100
    gamma: Positive = 0.96


class Exponential(Schedule, frozen=True, kw_only=True, tag="exponential"):
    """torch ExponentialLR: times `gamma` every epoch."""

    unit: Clock = "epoch"
    gamma: Positive = 0.95


class Linear(Schedule, frozen=True, kw_only=True, tag="linear"):
    """torch LinearLR: from `start_factor` to `end_factor` in `total_iters`."""

    start_factor: Positive = 1.0
    end_factor: NonNegative = 0.0
    total_iters: Count | None = None


class Polynomial(Schedule, frozen=True, kw_only=True, tag="polynomial"):
    """torch PolynomialLR: (1 - t / total_iters) ** power."""

    power: Positive = 1.0
    total_iters: Count | None = None


class Cosine(Schedule, frozen=True, kw_only=True, tag="cosine"):
    """torch CosineAnnealingLR, held at `eta_min` after `T_max`."""

    T_max: Count | None = None
    eta_min: NonNegative = 0.0


class CosineRestarts(Schedule, frozen=True, kw_only=True, tag="cosine_restarts"):
    """torch CosineAnnealingWarmRestarts: cycles of T_0, each `T_mult` times as long as the one before."""

    unit: Clock = "epoch"
    T_0: Count = 10
    T_mult: Count = 1
    eta_min: NonNegative = 0.0


class OneCycle(Schedule, frozen=True, kw_only=True, tag="one_cycle"):
    """torch OneCycleLR, the rate only. Without `max_lr` the peak is the optimizer's rate, in mid-run the rate
    in force."""

    max_lr: Rate | None = None
    total_steps: Annotated[int, Meta(ge=2, le=2**63 - 1)] | None = None
    pct_start: Annotated[float, Meta(gt=0, lt=1)] = 0.3
    anneal_strategy: Literal["cos", "linear"] = "cos"
    div_factor: Annotated[float, Meta(ge=1, lt=1e30)] = 25.0
    final_div_factor: Annotated[float, Meta(ge=1, lt=1e30)] = 1e4


class ReduceOnPlateau(Schedule, frozen=True, kw_only=True, tag="reduce_on_plateau"):
    """torch ReduceLROnPlateau once an epoch, on `metric` of the validation part (of the
    training part where there is none); None takes evaluation.metric where that is given, else the loss."""

    unit: Clock = "epoch"
    metric: str | None = None
    factor: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    patience: Size = 10
    threshold: NonNegative = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: Size = 0
    min_lr: NonNegative = 0.0
    eps: NonNegative = 1e-8

    def __post_init__(self) -> None:
        check_metric(self.metric)


AnySchedule = (
    Constant
    | StepDecay
    | MultiStep
    | Staircase
    | Exponential
    | Linear
    | Polynomial
    | Cosine
    | CosineRestarts
    | OneCycle
    | ReduceOnPlateau
)
