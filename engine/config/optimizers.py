"""Optimizers that a preset or a command can choose by name, with torch's parameters. No torch.

Every choice is a tagged union: the name picks the struct, and the struct's fields are the parameters, named
as in PyTorch, with our defaults. A name with a colon is the user's own code.
"""

from typing import Any, ClassVar, get_args

from msgspec import field

from trainconsole.engine.config.types import (
    Fraction,
    ImportPath,
    Named,
    NonNegative,
    Positive,
    Rate,
    Unit,
)

Betas = tuple[Fraction, Fraction]


class Optimizer(Named, frozen=True, kw_only=True):
    """Parameters by torch.optim's names; weight decay is regularisation.weight_decay for all of them.

    `state` is what it keeps that another may take over: "moments" (two and a step count), "square" or
    "momentum". `decay` is how it uses weight decay, and `usual_decay` what torch gives it where none is
    given; None where only the user's own class knows.
    """

    state: ClassVar[str] = ""
    decay: ClassVar[str] = "L2"
    usual_decay: ClassVar[float | None] = 0.0

    lr: Rate = 1e-3


class Sgd(Optimizer, frozen=True, kw_only=True, tag="sgd"):
    """Stochastic gradient descent; with momentum, if it is given some."""

    state: ClassVar[str] = "momentum"

    lr: Rate = 1e-2
    momentum: Fraction = 0.0
    dampening: Unit = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        if self.nesterov and not (self.momentum > 0 and self.dampening == 0):
            raise ValueError("nesterov needs momentum above 0 and dampening 0")


class Adam(Optimizer, frozen=True, kw_only=True, tag="adam"):
    """Adaptive moments: each weight at a rate of its own."""

    state: ClassVar[str] = "moments"

    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    amsgrad: bool = False


class AdamW(Optimizer, frozen=True, kw_only=True, tag="adamw"):
    """Adam with weight decay apart from the gradient."""

    state: ClassVar[str] = "moments"
    decay: ClassVar[str] = "decoupled"
    usual_decay: ClassVar[float | None] = 0.01

    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    amsgrad: bool = False


class NAdam(Optimizer, frozen=True, kw_only=True, tag="nadam"):
    """Adam with Nesterov's momentum."""

    state: ClassVar[str] = "moments"

    lr: Rate = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    momentum_decay: NonNegative = 4e-3


class RAdam(Optimizer, frozen=True, kw_only=True, tag="radam"):
    """Adam that holds back until its moments have settled."""

    state: ClassVar[str] = "moments"

    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8


class Adamax(Optimizer, frozen=True, kw_only=True, tag="adamax"):
    """Adam by the largest gradient instead of the mean square."""

    lr: Rate = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8


class Adagrad(Optimizer, frozen=True, kw_only=True, tag="adagrad"):
    """Rates fall with all gradients so far: for features that are rare."""

    lr: Rate = 1e-2
    lr_decay: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 0.0
    eps: Positive = 1e-10


class Adadelta(Optimizer, frozen=True, kw_only=True, tag="adadelta"):
    """Steps as large as the recent ones: hardly depends on the rate."""

    lr: Rate = 1.0
    rho: Fraction = 0.9
    eps: Positive = 1e-6


class RMSprop(Optimizer, frozen=True, kw_only=True, tag="rmsprop"):
    """Gradients divided by the root of their running mean square."""

    state: ClassVar[str] = "square"

    lr: Rate = 1e-2
    alpha: Fraction = 0.99
    eps: Positive = 1e-8
    momentum: Fraction = 0.0
    centered: bool = False


class ImportedOptimizer(Optimizer, frozen=True, kw_only=True, tag="import"):
    """Your own torch.optim.Optimizer class, called with lr and args."""

    decay: ClassVar[str] = "its own"
    usual_decay: ClassVar[float | None] = None

    target: ImportPath
    args: dict[str, Any] = field(default_factory=dict)


AnyOptimizer = Sgd | Adam | AdamW | NAdam | RAdam | Adamax | Adagrad | Adadelta | RMSprop | ImportedOptimizer

FRESH = "fresh state"
MOMENTS = "both moments and the step count carried over"
SECOND = "second moment carried over, bias-corrected"
FIRST = "momentum from the first moment"
BUFFER = "momentum carried over"


def kind(name: str) -> type[Optimizer]:
    """The struct of the optimizer called `name`; Optimizer itself where none is."""
    return next((one for one in get_args(AnyOptimizer) if one.__struct_config__.tag == name), Optimizer)


def carried(source: str, target: str, *, had: float, has: float) -> str:
    """What `target`, of momentum `has`, takes over from `source`, of momentum `had`: one of the texts above.

    That is, once `source` has taken a step; before, everything starts fresh.
    """
    match kind(source).state, kind(target).state:
        case "moments", "moments":
            return MOMENTS
        case "moments", "square":
            return SECOND
        case "moments", "momentum" if has > 0:
            return FIRST
        case "square", "momentum" if has > 0 and had > 0:
            return BUFFER
    return FRESH


def decay_note(source: str, target: str, weight_decay: float) -> str:
    """That the weight decay means something else from now on, or that there is none; "" where that is no
    news."""
    before, after = kind(source).decay, kind(target).decay
    if before == after:
        return ""
    if not weight_decay:
        return "weight decay stays 0, without which adamw is adam" if target == "adamw" else ""
    return f"weight decay {weight_decay:g} is now {after}, was {before}"
