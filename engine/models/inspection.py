"""Looking at a model without touching it: does it fit the data, which layers has it, how many parameters."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import blame
from trainconsole.engine.models.modes import to_evaluation_mode
from trainconsole.engine.protocol.events import Layer

FLOATS = "\nInputs arrive as float32: for indices take x.long() in forward()."


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """On leaving, buffers, the mode of each module and torch's random states (CPU, CUDA) are as before."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
        if not is_lazy(buffer)
    ]
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
            with torch.no_grad():
                for module, name, buffer, before in buffers:
                    setattr(module, name, buffer.copy_(before))


def check(model: nn.Module, sample: Tensor, outputs: int) -> None:
    """Try the model on `sample` (N, ...), of which two rows are taken, in evaluation mode without gradients.

    Raises UserError, with both shapes, unless it returns a Tensor (N, outputs), or (N,) for one output; also
    where it has no trainable parameter. Leaves model and random states as they were.
    """
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UserError(
            f"model: {type(model).__name__} has no trainable parameters, so there is nothing to train"
        )
    sample = sample[:2].to(next(model.parameters()).device)
    check_outputs(_try(model, sample), sample, outputs)


def check_outputs(returned: object, sample: Tensor, outputs: int, when: str = "") -> None:
    """Raises UserError unless what a model returned for `sample` (N, ...) is a Tensor (N, outputs), or (N,)
    for one output; `when` ("in training mode it ") comes before what it returns."""
    if not isinstance(returned, Tensor):
        kind = type(returned).__name__
        remedy = "\nReturn the main output alone." if isinstance(returned, tuple | list | dict) else ""
        raise UserError(
            f"model: {when}returns a {kind}, the loss needs one Tensor of shape (N, {outputs}){remedy}"
        )
    rows, shape = len(sample), tuple(returned.shape)
    if shape != (rows, outputs) and not (outputs == 1 and shape == (rows,)):
        raise UserError(
            f"model: {when}returns {shape} for data of shape {tuple(sample.shape)},"
            f" the loss needs (N, {outputs})\n"
            f"{_meaning(outputs)}: change the last layer of the model, or the loss."
        )


def layer_table(model: nn.Module, input_shape: tuple[int, ...]) -> list[Layer]:
    """The layers in the order in which one forward in evaluation mode reaches them, each once.

    A layer is a module without children or with parameters of its own; `shape` is that of its output for one
    sample, () where it has none. Layers with parameters that the forward does not reach come last. Leaves
    model and random states as they were.
    """
    names = {module: name or "model" for name, module in model.named_modules() if _is_layer(module)}
    table: dict[nn.Module, Layer] = {}

    def note(module: nn.Module, args: object, output: object) -> None:
        shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
        table.setdefault(module, _row(module, names[module], shape))

    hooks = [module.register_forward_hook(note) for module in names]
    try:
        with undisturbed(model), torch.no_grad():
            to_evaluation_mode(model)
            model(torch.zeros(2, *input_shape, device=next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    unreached = [m for m in names if m not in table and next(m.parameters(recurse=False), None) is not None]
    return [*table.values(), *(_row(module, names[module], ()) for module in unreached)]


def parameter_count(model: nn.Module) -> int:
    """How many numbers training can change."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def layer_name(model: nn.Module, layer: nn.Module) -> str:
    """Name and kind of a module of `model`: "conv1 (Conv2d)"."""
    name = next((name for name, module in model.named_modules() if module is layer), "")
    return f"{name or 'model'} ({type(layer).__name__})"


def _try(model: nn.Module, sample: Tensor) -> object:
    entered: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, args: tuple[object, ...]) -> None:
        if args and isinstance(args[0], Tensor):
            entered.append((module, args[0]))

    hooks = [m.register_forward_pre_hook(note) for m in model.modules() if next(m.children(), None) is None]
    try:
        with undisturbed(model), torch.no_grad():
            to_evaluation_mode(model)
            return model(sample)
    except UserError:
        raise
    except Exception as error:
        raise UserError(_failure(model, sample, entered, error)) from error
    finally:
        for hook in hooks:
            hook.remove()


def _failure(
    model: nn.Module, sample: Tensor, entered: list[tuple[nn.Module, Tensor]], error: Exception
) -> str:
    data = tuple(sample.shape)
    if entered:
        layer, given = entered[-1]
        wanted = _takes(layer, given)
        if wanted:
            return (
                f"model: {layer_name(model, layer)} expects {wanted} but gets {tuple(given.shape)};"
                f" the data gives {data}\nChange the model to fit the data."
            )
    return failure(model, sample, "", error)


def failure(model: nn.Module, sample: Tensor, when: str, error: Exception) -> str:
    """That the model fails on `sample`; `when` ("in training mode it ") comes before it."""
    remedy = FLOATS if "'indices'" in str(error) else ""
    return f"model: {when}fails on data of shape {tuple(sample.shape)}\n{blame(error)}{remedy}"


def _takes(layer: nn.Module, given: Tensor) -> str | None:
    """The input shape of a layer in words, where `given` does not have it."""
    if isinstance(layer, nn.Linear) and given.shape[-1:] != (layer.in_features,):
        return f"(N, {layer.in_features})"
    if isinstance(layer, nn.Conv2d) and (given.ndim != 4 or given.shape[1] != layer.in_channels):
        return f"(N, {layer.in_channels}, H, W)"
    if isinstance(layer, nn.Conv1d) and (given.ndim != 3 or given.shape[1] != layer.in_channels):
        return f"(N, {layer.in_channels}, L)"
    return None


def _meaning(outputs: int) -> str:
    return (
        "That is a single number for each row"
        if outputs == 1
        else f"That is one output for each of {outputs} classes"
    )


def _is_layer(module: nn.Module) -> bool:
    childless = next(module.children(), None) is None
    return childless or next(module.parameters(recurse=False), None) is not None


def _row(module: nn.Module, name: str, shape: tuple[int, ...]) -> Layer:
    count = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    return Layer(name=name, kind=type(module).__name__, shape=shape, parameters=count)
