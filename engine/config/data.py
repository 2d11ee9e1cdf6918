"""Data sets that a preset can name, how they are split, scaled and augmented. No torch."""

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from trainconsole.engine.config.types import (
    Count,
    Fraction,
    ImportPath,
    Name,
    Named,
    Part,
    Positive,
    Seed,
    Size,
    Unit,
)


class Split(Part, frozen=True, kw_only=True):
    """How rows are divided. `test` is a share of all rows (ignored where the set has its own test part),
    `validation` a share of what is left for training. `seed` None takes the run's seed, or that of the run
    of model.init_from on the same set. `on_seen` says what becomes of validation and test rows that the run
    of model.init_from was trained on."""

    test: Fraction = 0.2
    validation: Fraction = 0.1
    seed: Seed | None = None
    stratify_test: bool = True
    stratify_validation: bool = True
    on_seen: Literal["fail", "drop", "keep"] = "fail"


class Augment(Part, frozen=True, kw_only=True):
    """Ranges of the random changes to each training image, at strength 1 (see Regularisation.augment).

    rotation in degrees; shift as a share of width and height, or width_shift and height_shift in its place;
    shear_degrees, or shear as the tangent of the angle; zoom as a relative change of size, the same for both
    axes, width_zoom and height_zoom drawn for each: uniformly from [-x, x]. `crop` pixels of black are put
    around an image, and a piece of its size is cut out.
    """

    rotation: Annotated[float, Meta(ge=0, le=180)] = 10.0
    shift: Fraction = 0.1
    width_shift: Fraction | None = None
    height_shift: Fraction | None = None
    shear: Fraction = 0.0
    shear_degrees: Annotated[float, Meta(ge=0, lt=90)] = 0.0
    zoom: Fraction = 0.1
    width_zoom: Fraction = 0.0
    height_zoom: Fraction = 0.0
    crop: Annotated[int, Meta(ge=0, le=4096)] = 0
    horizontal_flip: bool = False

    def __post_init__(self) -> None:
        if self.shear and self.shear_degrees:
            raise ValueError("shear is the tangent of the angle, shear_degrees the angle: give one of them")


class Data(Named, frozen=True, kw_only=True):
    """What every data set has: split, scaling, balance, classes to keep, augmentation."""

    split: Split = Split()
    scaling: Literal["none", "standard", "minmax", "minmax_signed", "imagenet"] = "none"
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
    """A folder of pictures with a subfolder for each class, resized to `size` pixels square; or train, val
    and test with such subfolders. `on_damaged` says what a picture that cannot be read does; `workers` are
    threads that read pictures (0: the one that trains), None: one for each core, 4 at most."""

    path: Name
    size: Count = 64
    on_damaged: Literal["fail", "skip"] = "fail"
    workers: Annotated[int, Meta(ge=0, le=256)] | None = None


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
    """The user's own: a function that returns datasets or tensors, called with `args`. `as_given` takes
    inputs as they come: bytes of images are not divided by 255, channels that come last are not turned."""

    target: ImportPath
    args: dict[str, Any] = field(default_factory=dict)
    workers: Size = 0
    length: Count | None = None
    as_given: bool = False


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
