"""A model worked on in place and put back as it was, for those that cannot be copied."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

PARTS = ("_parameters", "_buffers", "_modules")


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """On leaving, the attributes, parameters, buffers and modes of each module are what they were; gradients
    are gone. What a list or dict of the user's own holds is not put back."""
    attributes = [(module, dict(module.__dict__)) for module in model.modules()]
    parts = [(getattr(m, part), dict(getattr(m, part))) for m in model.modules() for part in PARTS]
    tensors = [(tensor, tensor.detach().clone()) for tensor in _tensors(model)]
    try:
        yield
    finally:
        for module, before in attributes:
            module.__dict__.clear()
            module.__dict__.update(before)
        for live, kept in parts:
            live.clear()
            live.update(kept)
        with torch.no_grad():
            for tensor, values in tensors:
                tensor.copy_(values)
        for parameter in model.parameters():
            parameter.grad = None


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
