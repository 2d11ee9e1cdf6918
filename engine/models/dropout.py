"""The rate of dropout as a live knob: of every module of torch that drops activations."""

from collections.abc import Iterator

from torch import nn

LAYERS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
"""Their rate is `p`."""

INSIDE = (nn.MultiheadAttention, nn.RNNBase)
"""Their rate is `dropout`: of the attention weights, and between the layers of an RNN, LSTM or GRU."""

PLAIN = ("dropout", "dropout_p", "drop_rate", "drop_prob", "attention_dropout", "attn_dropout")
"""What rates are called that a module hands to torch.nn.functional.dropout itself."""


def rates(model: nn.Module) -> dict[str, float]:
    """The rate of each module that drops, by name; "" is the model itself."""
    return {name: float(getattr(module, key)) for name, module, key in _dropping(model)}


def set_rates(model: nn.Module, p: float | None, original: dict[str, float]) -> None:
    """Set all of them to `p`, or with None back to `original`, as `rates` returned it."""
    for name, module, key in _dropping(model):
        setattr(module, key, original[name] if p is None else p)


def unreached(model: nn.Module) -> tuple[str, ...]:
    """Where modules of other kinds keep a rate above 0 as a plain number, which `set_rates` leaves alone:
    torchvision's DenseNet and Swin do."""
    return tuple(
        f"{name}.{key}" if name else key
        for name, module in model.named_modules()
        if not isinstance(module, (*LAYERS, *INSIDE))
        for key in PLAIN
        if _is_rate(getattr(module, key, None))
    )


def _is_rate(value: object) -> bool:
    return isinstance(value, float) and 0 < value < 1


def _dropping(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """(name, module, attribute). An RNN of one layer has nothing between layers to drop."""
    for name, module in model.named_modules():
        if isinstance(module, LAYERS):
            yield name, module, "p"
        elif isinstance(module, INSIDE) and not (isinstance(module, nn.RNNBase) and module.num_layers == 1):
            yield name, module, "dropout"
