"""Parameters with gradients, for optimizers to move."""

from typing import Any

import torch
from torch import Tensor, nn

CPU = torch.device("cpu")


def parameters(*values: float) -> list[nn.Parameter]:
    return [nn.Parameter(torch.full((3,), float(value))) for value in values]


def groups(*params: nn.Parameter) -> list[dict[str, Any]]:
    """The first parameter is the head, the others the backbone at a tenth of the rate; or all in one."""
    if len(params) == 1:
        return [{"params": list(params), "lr_factor": 1.0, "name": "all"}]
    head = {"params": [params[0]], "lr_factor": 1.0, "name": "head"}
    return [head, {"params": list(params[1:]), "lr_factor": 0.1, "name": "backbone"}]


def give(optimizer: torch.optim.Optimizer, gradient: Tensor) -> None:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = gradient.clone()
    optimizer.step()


GRADIENTS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
