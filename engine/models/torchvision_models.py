"""Models of torchvision by name, fitted to the data: first convolution and last layer."""

import difflib
import warnings
from typing import Any

import torch
import torchvision
from torch import nn

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.models import TorchvisionModel


def build(config: TorchvisionModel, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    """A classification model of torchvision, (N, C, H, W) -> (N, outputs).

    Pretrained weights are kept but for the last layer; a first convolution for another number of channels
    gets their sum over the colours, shared out among the channels: a grey image does what it would do
    repeated three times. Raises UserError for a name that does not exist
    and for weights that cannot be had.
    """
    known = torchvision.models.list_models(module=torchvision.models)
    if config.architecture not in known:
        raise UserError(f"model.architecture: {_unknown(config.architecture, known)}")
    if config.weights is None:
        model = _untrained(config.architecture, outputs)
    else:
        model = _pretrained(config.architecture, config.weights)
        _replace_last(model, outputs)
    _drop_auxiliary(model)
    _adapt_first(model, input_shape[0])
    return model


def _untrained(architecture: str, outputs: int) -> nn.Module:
    with warnings.catch_warnings():
        # GoogLeNet and Inception announce that their initialisation will change.
        warnings.simplefilter("ignore", FutureWarning)
        model: nn.Module = torchvision.models.get_model(architecture, weights=None, num_classes=outputs)
    return model


def _pretrained(architecture: str, name: str) -> nn.Module:
    choices: Any = torchvision.models.get_model_weights(architecture)
    known = ["DEFAULT", *choices.__members__]
    short = name.rpartition(".")[2]
    if short not in known:
        raise UserError(f"model.weights: {_unknown(name, known)}")
    try:
        model: nn.Module = torchvision.models.get_model(architecture, weights=choices[short])
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"model.weights: cannot get {choices[short].name} of {architecture}: {error}\n"
            f"Check the network, put the file in {torch.hub.get_dir()}/checkpoints, or leave weights out."
        ) from error
    return model


def _replace_last(model: nn.Module, outputs: int) -> None:
    """The last Linear or convolution makes the logits in every classification model of torchvision."""
    name, last = [m for m in model.named_modules() if isinstance(m[1], nn.Linear | nn.Conv2d)][-1]
    if isinstance(last, nn.Linear):
        model.set_submodule(name, nn.Linear(last.in_features, outputs))
    elif isinstance(last, nn.Conv2d):
        model.set_submodule(name, nn.Conv2d(last.in_channels, outputs, kernel_size=1))


def _drop_auxiliary(model: nn.Module) -> None:
    """GoogLeNet and Inception return auxiliary logits too while they train; the loss takes one Tensor."""
    if hasattr(model, "aux_logits"):
        model.aux_logits = False  # type: ignore[assignment]
        for name in ("aux1", "aux2", "AuxLogits"):
            if hasattr(model, name):
                setattr(model, name, None)


def _adapt_first(model: nn.Module, channels: int) -> None:
    name, first = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d))
    if first.in_channels == channels:
        return
    adapted = nn.Conv2d(
        channels,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]
        first.stride,  # type: ignore[arg-type]
        first.padding,  # type: ignore[arg-type]
        first.dilation,  # type: ignore[arg-type]
        bias=first.bias is not None,
    )
    with torch.no_grad():
        adapted.weight.copy_(first.weight.sum(1, keepdim=True) / channels)
        if first.bias is not None and adapted.bias is not None:
            adapted.bias.copy_(first.bias)
    model.set_submodule(name, adapted)


def _unknown(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    if close:
        return f"unknown '{name}', did you mean {' or '.join(repr(c) for c in close)}?"
    return f"unknown '{name}'; known: {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}"
