"""Models by name: `mlp` and `cnn` here, the others in files of their own."""

from collections import OrderedDict
from math import prod

from torch import nn

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import call
from trainconsole.engine.config.models import AnyModel, Cnn, ImportedModel, Mlp, ResNet18, TorchvisionModel
from trainconsole.engine.models.fine_tuning import init_from, parameter_groups
from trainconsole.engine.models.inspection import check, layer_table, parameter_count
from trainconsole.engine.models.modes import to_training_mode
from trainconsole.engine.models.resnet import ResNet18 as ResNet18Module
from trainconsole.engine.tensors.random_state import load_object

__all__ = [
    "build",
    "check",
    "init_from",
    "layer_table",
    "parameter_count",
    "parameter_groups",
    "uses_channels_last",
]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "sigmoid": nn.Sigmoid,
}


def build(config: AnyModel, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    """The model for rows of `input_shape`, float32 (N, *input_shape) -> (N, outputs), in training mode.

    Weights are drawn from torch's global generator, which the caller seeds. `mlp` flattens images. Raises
    UserError where the model cannot take such data, a name does not exist, or the user's own code fails.
    """
    match config:
        case Mlp():
            return _mlp(config, input_shape, outputs)
        case ImportedModel():
            return _imported(config)
    if len(input_shape) != 3:
        name = config.__struct_config__.tag
        raise UserError(
            f"model.name: {name} takes images (channels, height, width),"
            f" the data gives rows of shape {input_shape}\n"
            "Use mlp, or a model of your own."
        )
    match config:
        case Cnn():
            return _cnn(config, input_shape, outputs)
        case ResNet18():
            return ResNet18Module(input_shape[0], outputs, config.width, config.dropout)
        case TorchvisionModel():
            # Here, because importing torchvision's models takes a second.
            from trainconsole.engine.models import torchvision_models

            return torchvision_models.build(config, input_shape, outputs)


def uses_channels_last(model: nn.Module, input_shape: tuple[int, ...]) -> bool:
    """Whether memory format channels_last suits: images through 2-d convolutions."""
    return len(input_shape) == 3 and any(isinstance(module, nn.Conv2d) for module in model.modules())


def _mlp(config: Mlp, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if len(input_shape) != 1:
        layers["flatten"] = nn.Flatten()
    width = _add_hidden(layers, config, prod(input_shape), config.hidden)
    layers["out"] = nn.Linear(width, outputs)
    return nn.Sequential(layers)


def _cnn(config: Cnn, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    before, height, width = input_shape
    for i, after in enumerate(config.channels, start=1):
        height, width = (_shrunk(side, config, input_shape, i) for side in (height, width))
        layers[f"conv{i}"] = nn.Conv2d(before, after, config.kernel_size, padding=config.padding)
        if config.batch_norm:
            layers[f"bn{i}"] = nn.BatchNorm2d(after)
        layers[f"act{i}"] = ACTIVATIONS[config.activation]()
        if config.pool > 1:
            layers[f"pool{i}"] = nn.MaxPool2d(config.pool)
        before = after
    layers["flatten"] = nn.Flatten()
    features = _add_hidden(layers, config, before * height * width, config.fc)
    layers["out"] = nn.Linear(features, outputs)
    return nn.Sequential(layers)


def _add_hidden(
    layers: OrderedDict[str, nn.Module], config: Mlp | Cnn, features: int, sizes: tuple[int, ...]
) -> int:
    """Linear, batch norm (mlp), activation, dropout for each size; returns the features at the end."""
    for i, size in enumerate(sizes, start=1):
        layers[f"fc{i}"] = nn.Linear(features, size)
        if config.batch_norm and isinstance(config, Mlp):
            layers[f"bn{i}"] = nn.BatchNorm1d(size)
        layers[f"fc_act{i}"] = ACTIVATIONS[config.activation]()
        # Also at 0, where it costs 2 us and draws nothing: the rate is a live knob.
        layers[f"drop{i}"] = nn.Dropout(config.dropout)
        features = size
    return features


def _shrunk(side: int, config: Cnn, input_shape: tuple[int, ...], number: int) -> int:
    after = (side + 2 * config.padding - config.kernel_size + 1) // config.pool
    if after < 1:
        raise UserError(
            f"model.channels: nothing is left of images of {input_shape} at convolution {number} of"
            f" {len(config.channels)}\nUse fewer channels entries, a smaller pool, or more padding."
        )
    return after


def _imported(config: ImportedModel) -> nn.Module:
    what = f"model {config.target}"
    target = load_object(config.target, "model.name")
    if isinstance(target, nn.Module) or not callable(target):
        raise UserError(
            f"model.name: {config.target} must be a class or function that returns a torch.nn.Module"
        )
    model = call(target, what, **config.args)
    if not isinstance(model, nn.Module):
        raise UserError(f"model.name: {config.target} returns {type(model).__name__}, not a torch.nn.Module")
    to_training_mode(model)
    return model
