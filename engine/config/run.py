"""RunConfig and its parts: what a preset says, validated. No torch."""

from typing import Literal

from trainconsole.engine.config.data import AnyData, Digits
from trainconsole.engine.config.losses import AnyLoss, CrossEntropy
from trainconsole.engine.config.models import AnyModel, Mlp
from trainconsole.engine.config.optimizers import Adam, AnyOptimizer
from trainconsole.engine.config.schedules import AnySchedule, Constant
from trainconsole.engine.config.tasks import check_metric
from trainconsole.engine.config.types import (
    Count,
    Fraction,
    Name,
    NonNegative,
    Part,
    Positive,
    Seed,
    Unit,
)


class Clip(Part, frozen=True, kw_only=True):
    """Gradient clipping by global norm, by value, or both (value first)."""

    norm: Positive | None = None
    value: Positive | None = None


class Regularisation(Part, frozen=True, kw_only=True):
    """Config values that are live knobs too. `weight_decay` None is the optimizer's own: 0.01 of adamw, 0 of
    the others; `dropout` None leaves each layer as the model has it; `augment` is the strength of
    data.augment, 0 (off) to 1."""

    weight_decay: NonNegative | None = None
    l1: NonNegative = 0.0
    clip: Clip = Clip()
    dropout: Fraction | None = None
    label_smoothing: Fraction = 0.0
    augment: Unit = 0.0


class EarlyStopping(Part, frozen=True, kw_only=True):
    """Stop after `patience` epochs without an improvement of `metric` by more than `min_delta`; None: off.
    `metric` None takes evaluation.metric where that is given, else the loss; the best by it is restored."""

    patience: Count | None = None
    metric: str | None = None
    min_delta: NonNegative = 0.0
    restore_best: bool = True

    def __post_init__(self) -> None:
        check_metric(self.metric)


class Checkpoints(Part, frozen=True, kw_only=True):
    """`last` is written at the first epoch end at least `epoch_seconds` of training after the one before, and
    at least every `step_seconds` in mid-epoch."""

    epoch_seconds: NonNegative = 10.0
    step_seconds: Positive = 60.0


class Evaluation(Part, frozen=True, kw_only=True):
    """`metric` decides which epoch is best; None takes what early stopping watches or, where that is off, the
    task's: accuracy, or mae for regression.
    `grad_norm` records the gradient norm at every step (clipping by norm does so anyway)."""

    metric: str | None = None
    batch_size: Count = 1000
    grad_norm: bool = False

    def __post_init__(self) -> None:
        check_metric(self.metric)


class Scripted(Part, frozen=True, kw_only=True):
    """A command and when it is given, both in the grammar of commands."""

    when: Name
    what: Name


class Script(Part, frozen=True, kw_only=True):
    """How a script that has a loop of its own was started: its command line, from which directory. `sha256`
    is of its file, `tree` of what git knows of the directory, changes included; "" where there is none;
    `call` which of its attach calls the run is of."""

    command: tuple[str, ...] = ()
    cwd: str = ""
    file: str = ""
    sha256: str = ""
    tree: str = ""
    call: Count = 1


class RunConfig(Part, frozen=True, kw_only=True):
    """Everything that decides the weights of a run, but for the commands given while it trains.

    Where `script` is given, data, model, loss, optimizer and schedule are the script's, and what is said of
    them here does not count.
    `drop_last` leaves out the short batch at the end of an epoch, as torch's DataLoader does.
    `on_signal` says what SIGUSR1 and SIGUSR2 do, which a batch system sends ahead of the end: save and leave,
    or save and go on.
    """

    description: str = ""
    data: AnyData = Digits()
    model: AnyModel = Mlp()
    loss: AnyLoss = CrossEntropy()
    optimizer: AnyOptimizer = Adam()
    schedule: AnySchedule = Constant()
    epochs: Count = 10
    batch_size: Count = 64
    drop_last: bool = False
    regularisation: Regularisation = Regularisation()
    early_stopping: EarlyStopping = EarlyStopping()
    evaluation: Evaluation = Evaluation()
    checkpoint: Checkpoints = Checkpoints()
    seed: Seed = 0
    threads: Count | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    on_nonfinite: Literal["pause", "fail", "skip"] | None = None
    on_signal: Literal["leave", "continue"] = "leave"
    commands: tuple[Scripted, ...] = ()
    script: Script | None = None


def batches(rows: int, batch_size: int, *, drop_last: bool) -> int:
    """Updates that `rows` rows make."""
    return rows // batch_size if drop_last else -(-rows // batch_size)


def ends_alone(rows: int, batch_size: int, *, drop_last: bool) -> bool:
    """Whether the last of `rows` rows is a batch of its own."""
    return batch_size == 1 or (rows % batch_size == 1 and not drop_last)


def near(rows: int, batch_size: int, left: int | None = None) -> int:
    """The batch size nearest to `batch_size`, above 1, that leaves no row of two or more alone: neither in an
    epoch of `rows` nor in the `left` rows of this one."""
    sizes = range(2, max(rows, batch_size) + 2)
    both = {rows, left or rows}
    return min(
        (b for b in sizes if not any(ends_alone(n, b, drop_last=False) for n in both)),
        key=lambda b: abs(b - batch_size),
    )
