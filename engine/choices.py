"""Losses, optimizers and schedules: what a preset or a command can choose by name. No torch.

Every choice is a tagged union: the name picks the struct, and the struct's fields are the parameters, named
as in PyTorch, with our defaults. A name with a colon ("my_pkg.losses:Focal") is the user's own code.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from trainconsole.engine.parts import (
    Count,
    Fraction,
    ImportPath,
    Named,
    NonNegative,
    Positive,
    Rate,
    Size,
    Unit,
)
from trainconsole.engine.tasks import check_metric

# --- loss -------------------------------------------------------------------------------------------------


class CrossEntropy(Named, frozen=True, kw_only=True, tag="cross_entropy"):
    """torch.nn.functional.cross_entropy; label smoothing is regularisation.label_smoothing."""


class Bce(Named, frozen=True, kw_only=True, tag="bce"):
    """Binary cross entropy with logits, for two classes and a single output."""


class Mse(Named, frozen=True, kw_only=True, tag="mse"):
    """Mean squared error."""


class L1(Named, frozen=True, kw_only=True, tag="l1"):
    """Mean absolute error (MAE)."""


class Huber(Named, frozen=True, kw_only=True, tag="huber"):
    """Quadratic below `delta`, linear above it."""

    delta: Positive = 1.0


class KlDiv(Named, frozen=True, kw_only=True, tag="kl_div"):
    """Kullback-Leibler divergence from soft targets (class indices are taken as one-hot)."""


class Nll(Named, frozen=True, kw_only=True, tag="nll"):
    """Negative log likelihood of log-probabilities (logits are normalised first)."""


class ImportedLoss(Named, frozen=True, kw_only=True, tag="import"):
    """The user's own: a class or function that returns a callable of (outputs, targets)."""

    target: ImportPath
    args: dict[str, Any] = field(default_factory=dict)


AnyLoss = CrossEntropy | Bce | Mse | L1 | Huber | KlDiv | Nll | ImportedLoss


# --- optimizer --------------------------------------------------------------------------------------------

Betas = tuple[Fraction, Fraction]


class Optimizer(Named, frozen=True, kw_only=True):
    """Parameters by torch.optim's names; weight decay is regularisation.weight_decay for all of them."""

    lr: Rate = 1e-3


class Sgd(Optimizer, frozen=True, kw_only=True, tag="sgd"):
    lr: Rate = 1e-2
    momentum: Fraction = 0.0
    dampening: Unit = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        if self.nesterov and not (self.momentum > 0 and self.dampening == 0):
            raise ValueError("nesterov needs momentum above 0 and dampening 0")


class Adam(Optimizer, frozen=True, kw_only=True, tag="adam"):
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    amsgrad: bool = False


class AdamW(Optimizer, frozen=True, kw_only=True, tag="adamw"):
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    amsgrad: bool = False


class NAdam(Optimizer, frozen=True, kw_only=True, tag="nadam"):
    lr: Rate = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    momentum_decay: NonNegative = 4e-3


class RAdam(Optimizer, frozen=True, kw_only=True, tag="radam"):
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8


class Adamax(Optimizer, frozen=True, kw_only=True, tag="adamax"):
    lr: Rate = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8


class Adagrad(Optimizer, frozen=True, kw_only=True, tag="adagrad"):
    lr: Rate = 1e-2
    lr_decay: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 0.0
    eps: Positive = 1e-10


class Adadelta(Optimizer, frozen=True, kw_only=True, tag="adadelta"):
    lr: Rate = 1.0
    rho: Fraction = 0.9
    eps: Positive = 1e-6


class RMSprop(Optimizer, frozen=True, kw_only=True, tag="rmsprop"):
    lr: Rate = 1e-2
    alpha: Fraction = 0.99
    eps: Positive = 1e-8
    momentum: Fraction = 0.0
    centered: bool = False


class ImportedOptimizer(Optimizer, frozen=True, kw_only=True, tag="import"):
    """The user's own: a torch.optim.Optimizer class, called with the parameters, `lr` and `args`."""

    target: ImportPath
    args: dict[str, Any] = field(default_factory=dict)


AnyOptimizer = Sgd | Adam | AdamW | NAdam | RAdam | Adamax | Adagrad | Adadelta | RMSprop | ImportedOptimizer


# --- schedule ---------------------------------------------------------------------------------------------

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
    """torch OneCycleLR, the rate only. Without `max_lr` the optimizer's rate is the peak at the start of a
    run, and in mid-run the rate in force is the start of the cycle."""

    max_lr: Rate | None = None
    total_steps: Annotated[int, Meta(ge=2, le=2**63 - 1)] | None = None
    pct_start: Annotated[float, Meta(gt=0, lt=1)] = 0.3
    anneal_strategy: Literal["cos", "linear"] = "cos"
    div_factor: Annotated[float, Meta(ge=1, lt=1e30)] = 25.0
    final_div_factor: Annotated[float, Meta(ge=1, lt=1e30)] = 1e4


class ReduceOnPlateau(Schedule, frozen=True, kw_only=True, tag="reduce_on_plateau"):
    """torch ReduceLROnPlateau on a validation metric (default: the run's), once an epoch."""

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
