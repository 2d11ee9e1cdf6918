"""Models that a preset can name, and where their first weights come from. No torch."""

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from trainconsole.engine.config.types import (
    Count,
    Fraction,
    ImportPath,
    Name,
    Named,
    Size,
)

Activation = Literal["relu", "gelu", "silu", "tanh", "leaky_relu", "elu", "sigmoid"]


class Model(Named, frozen=True, kw_only=True):
    """What every model has. `init_from` is a run, or a checkpoint file, whose weights it starts with;
    `freeze` and `head` are shell-style patterns on parameter names; `backbone_lr` is the rate of all but the
    head, relative to it."""

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
