"""Where a loss that is not finite began: a batch goes through the model again, each layer is looked at."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from trainconsole.engine.models.inspection import layer_name, undisturbed


def first_nonfinite(model: nn.Module, inputs: Tensor, loss_fn: Callable[[Tensor], Tensor]) -> str:
    """The first thing that is not finite when the batch goes through the model in the mode that it is in.

    One of "inputs", "parameter NAME", "buffer NAME", "NAME (KIND)" of the first layer whose output is not
    finite, "loss", "gradient of NAME". Mode, buffers, gradients and random states stay as they were.
    """
    if not _finite(inputs):
        return "inputs"
    for kind, named in (("parameter", model.named_parameters()), ("buffer", model.named_buffers())):
        for name, tensor in named:
            if not _finite(tensor):
                return f"{kind} {name}"
    with undisturbed(model), torch.enable_grad():
        return _first_computed(model, inputs, loss_fn)


def _first_computed(model: nn.Module, inputs: Tensor, loss_fn: Callable[[Tensor], Tensor]) -> str:
    found: list[nn.Module] = []

    def note(module: nn.Module, args: object, output: object) -> None:
        if not all(_finite(tensor) for tensor in _tensors(output)):
            found.append(module)

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    try:
        loss = loss_fn(model(inputs))
    finally:
        for hook in hooks:
            hook.remove()
    if found:
        return layer_name(model, found[0])
    return _first_gradient(model, loss) if _finite(loss) else "loss"


def _first_gradient(model: nn.Module, loss: Tensor) -> str:
    """From the loss backwards: the last parameters come first."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
    for (name, _), gradient in reversed([*zip(named, gradients, strict=True)]):
        if gradient is not None and not _finite(gradient):
            return f"gradient of {name}"
    return "loss (finite when computed again)"


def _finite(tensor: Tensor) -> bool:
    return bool(tensor.detach().isfinite().all())


def _tensors(value: object) -> Iterable[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)
