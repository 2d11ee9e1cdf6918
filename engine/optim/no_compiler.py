"""torch's optimizers without torch.compile: the first one of a process imports the compiler, only to be told
that it has nothing to do here. That is 1.6 s of each start, and 150 MB."""

import inspect

import torch
from torch import optim

NEVER_COMPILED = ("add_param_group", "state_dict", "load_state_dict")


def spare_the_compiler() -> None:
    """Mark the methods that torch would import it to mark; does nothing where torch no longer does so."""
    for name in NEVER_COMPILED:
        function = getattr(getattr(optim.Optimizer, name), "__wrapped__", None)
        if function is not None:
            function.__dynamo_disable = function


def is_torchs(optimizer: optim.Optimizer) -> bool:
    """Whether it comes with torch, and is no class of the user's own."""
    return type(optimizer).__module__.startswith("torch.optim.")


def step(optimizer: optim.Optimizer) -> None:
    """optimizer.step(); of torch's own ones without what is wrapped around it for profilers and compilers."""
    if is_torchs(optimizer):
        with torch.no_grad():
            inspect.unwrap(type(optimizer).step)(optimizer)
    else:
        optimizer.step()
