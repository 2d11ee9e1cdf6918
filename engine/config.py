"""RunConfig and its parts: what a preset says, validated. No torch."""

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from trainconsole.engine.choices import Adam, AnyLoss, AnyOptimizer, AnySchedule, Constant, CrossEntropy
from trainconsole.engine.parts import (
    Count,
    Fraction,
    ImportPath,
    Name,
    Named,
    NonNegative,
    Part,
    Positive,
    Seed,
    Size,
    Unit,
)
from trainconsole.engine.tasks import check_metric

# --- data -------------------------------------------------------------------------------------------------


class Split(Part, frozen=True, kw_only=True):
    """How rows are divided. `test` is a share of all rows (ignored where the set has its own test part),
    `validation` a share of what is left for training. `seed` None takes the run's seed."""

    test: Fraction = 0.2
    validation: Fraction = 0.1
    seed: Seed | None = None
    stratify_test: bool = True
    stratify_validation: bool = True


class Augment(Part, frozen=True, kw_only=True):
    """Ranges of the random changes to each training image, at strength 1 (see Regularisation.augment).

    rotation in degrees, shift as a share of width and height, shear as the tangent of the angle, zoom as a
    relative change of size: each is drawn uniformly from [-x, x].
    """

    rotation: Annotated[float, Meta(ge=0, le=180)] = 10.0
    shift: Fraction = 0.1
    shear: Fraction = 0.0
    zoom: Fraction = 0.1
    horizontal_flip: bool = False


class Data(Named, frozen=True, kw_only=True):
    """What every data set has: split, scaling, balance, classes to keep, augmentation."""

    split: Split = Split()
    scaling: Literal["none", "standard", "minmax", "minmax_signed"] = "none"
    target_scaling: Literal["none", "standard"] = "none"
    balance: Literal["none", "class_weights", "weighted_sampler", "oversample"] = "none"
    classes: tuple[int, ...] = ()
    limit: Count | None = None
    augment: Augment = Augment()


class Digits(Data, frozen=True, kw_only=True, tag="digits"):
    """scikit-learn's 1,797 images of handwritten digits, 8x8."""


class Mnist(Data, frozen=True, kw_only=True, tag="mnist"):
    """MNIST, 28x28; the 5,000-image sample where it cannot be had."""


class FashionMnist(Data, frozen=True, kw_only=True, tag="fashion_mnist"):
    """Fashion-MNIST, 28x28."""


class Cifar10(Data, frozen=True, kw_only=True, tag="cifar10"):
    """CIFAR-10, 32x32 in colour."""


class ImageFolder(Data, frozen=True, kw_only=True, tag="image_folder"):
    """A folder of pictures with a subfolder for each class, resized to `size` pixels square."""

    path: Name
    size: Count = 64


class Iris(Data, frozen=True, kw_only=True, tag="iris"):
    """scikit-learn's iris flowers: 150 rows, 4 features, 3 classes."""


class Diabetes(Data, frozen=True, kw_only=True, tag="diabetes"):
    """scikit-learn's diabetes progression: 442 rows, 10 features, regression."""


class Classification(Data, frozen=True, kw_only=True, tag="classification"):
    """sklearn.datasets.make_classification, its parameters by their own names."""

    n_samples: Count = 1000
    n_features: Count = 20
    n_informative: Count = 2
    n_redundant: Size = 2
    n_classes: Annotated[int, Meta(ge=2)] = 2
    n_clusters_per_class: Count = 2
    weights: tuple[Unit, ...] = ()
    flip_y: Unit = 0.01
    class_sep: Positive = 1.0
    random_state: Seed = 42


class Threshold(Data, frozen=True, kw_only=True, tag="threshold"):
    """`n_features` uniform numbers in [0, 1); the label is whether their sum is over `threshold`."""

    n_train: Count = 1000
    n_test: Count = 200
    n_features: Count = 20
    threshold: float = 10.0


class ImportedData(Data, frozen=True, kw_only=True, tag="import"):
    """The user's own: a function that returns datasets or tensors, called with `args`."""

    target: ImportPath
    args: dict[str, Any] = field(default_factory=dict)
    workers: Size = 0
    length: Count | None = None


AnyData = (
    Digits
    | Mnist
    | FashionMnist
    | Cifar10
    | ImageFolder
    | Iris
    | Diabetes
    | Classification
    | Threshold
    | ImportedData
)


# --- model ------------------------------------------------------------------------------------------------

Activation = Literal["relu", "gelu", "silu", "tanh", "leaky_relu", "elu", "sigmoid"]


class Model(Named, frozen=True, kw_only=True):
    """What every model has. `init_from` is a run whose weights it starts with; `freeze` and `head` are
    shell-style patterns on parameter names; `backbone_lr` is the rate of all but the head, relative to it."""

    init_from: str | None = None
    freeze: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    backbone_lr: Annotated[float, Meta(gt=0, le=1)] = 1.0
    channels_last: bool = True


class Mlp(Model, frozen=True, kw_only=True, tag="mlp"):
    """Linear layers with an activation between them."""

    hidden: tuple[Count, ...] = (64, 32)
    activation: Activation = "relu"
    dropout: Fraction = 0.0
    batch_norm: bool = False


class Cnn(Model, frozen=True, kw_only=True, tag="cnn"):
    """Convolution, activation, pooling; once for each entry of `channels`; then linear layers of `fc`."""

    channels: Annotated[tuple[Count, ...], Meta(min_length=1)] = (32, 64)
    kernel_size: Count = 3
    padding: Size = 1
    pool: Count = 2
    fc: tuple[Count, ...] = (128,)
    activation: Activation = "relu"
    dropout: Fraction = 0.0
    batch_norm: bool = False


class ResNet18(Model, frozen=True, kw_only=True, tag="resnet18"):
    """ResNet-18 for small images: a 3x3 stem without pooling."""

    width: Count = 64
    dropout: Fraction = 0.0


class TorchvisionModel(Model, frozen=True, kw_only=True, tag="torchvision"):
    """Any classification model of torchvision, by `architecture`, with `weights` by name or none."""

    architecture: Name
    weights: str | None = None


class ImportedModel(Model, frozen=True, kw_only=True, tag="import"):
    """The user's own: a class or function that returns a torch.nn.Module, called with `args`."""

    target: ImportPath
    args: dict[str, Any] = field(default_factory=dict)


AnyModel = Mlp | Cnn | ResNet18 | TorchvisionModel | ImportedModel


# --- the rest ---------------------------------------------------------------------------------------------


class Clip(Part, frozen=True, kw_only=True):
    """Gradient clipping by global norm, by value, or both (value first)."""

    norm: Positive | None = None
    value: Positive | None = None


class Regularisation(Part, frozen=True, kw_only=True):
    """Config values that are live knobs too. `dropout` None leaves each layer as the model has it;
    `augment` is the strength of data.augment, 0 (off) to 1."""

    weight_decay: NonNegative = 0.0
    l1: NonNegative = 0.0
    clip: Clip = Clip()
    dropout: Fraction | None = None
    label_smoothing: Fraction = 0.0
    augment: Unit = 0.0


class EarlyStopping(Part, frozen=True, kw_only=True):
    """Stop after `patience` epochs without an improvement of `metric` by more than `min_delta`; None: off."""

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
    """`metric` decides which epoch is best; None takes the task's: accuracy, or mae for regression.
    `grad_norm` records the gradient norm at every step (clipping by norm does so anyway)."""

    metric: str | None = None
    batch_size: Count = 1000
    grad_norm: bool = False

    def __post_init__(self) -> None:
        check_metric(self.metric)


class Scripted(Part, frozen=True, kw_only=True):
    """A command and when it is given, both in the grammar of messages.py."""

    when: Name
    what: Name


class RunConfig(Part, frozen=True, kw_only=True):
    """Everything that decides the weights of a run, but for the commands given while it trains."""

    description: str = ""
    data: AnyData = Digits()
    model: AnyModel = Mlp()
    loss: AnyLoss = CrossEntropy()
    optimizer: AnyOptimizer = Adam()
    schedule: AnySchedule = Constant()
    epochs: Count = 10
    batch_size: Count = 64
    regularisation: Regularisation = Regularisation()
    early_stopping: EarlyStopping = EarlyStopping()
    evaluation: Evaluation = Evaluation()
    checkpoint: Checkpoints = Checkpoints()
    seed: Seed = 0
    threads: Count | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    on_nonfinite: Literal["pause", "fail", "skip"] | None = None
    commands: tuple[Scripted, ...] = ()
