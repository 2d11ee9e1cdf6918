"""Another optimizer in the same Python object: closures, schedulers and a GradScaler go on holding it.

Its class, defaults, groups and state change. A scheduler of torch's puts a counting wrapper on the instance's
`step`; it is taken off and one like it put back.
"""

from typing import Any

from torch import optim

from trainconsole.engine.tensors import torch_internals

OWN = ("state", "param_groups", "defaults", "step")
"""What an optimizer's attributes are besides those of its kind."""
GROUP = ("params", "lr", "initial_lr", "weight_decay", "param_names")
"""What a group keeps: its parameters, the script's rate, its weight decay, the names."""


class Kind:
    """What an optimizer is, apart from its rate, its weights and its state."""

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.type = type(optimizer)
        self.defaults = dict(optimizer.defaults)
        self.attributes = {
            name: value
            for name, value in vars(optimizer).items()
            if name not in OWN and "hook" not in name and not name.startswith("_zero_grad")
        }
        self.groups = [
            {name: value for name, value in group.items() if name not in GROUP}
            for group in optimizer.param_groups
        ]


def become(optimizer: optim.Optimizer, kind: Kind, state: dict[Any, Any]) -> None:
    """`optimizer` is of `kind` from now on, with `state` by parameter. What its groups had besides stays:
    a scheduler that cycles a momentum looks for it."""
    counted = torch_internals.is_counted(vars(optimizer).pop("step", None))
    optimizer.__class__ = kind.type
    vars(optimizer).update(kind.attributes)
    optimizer.defaults = dict(kind.defaults)
    for group, values in zip(optimizer.param_groups, kind.groups, strict=True):
        group.update(values)
        if "weight_decay" in kind.defaults:
            group.setdefault("weight_decay", kind.defaults["weight_decay"])
    optimizer.state.clear()
    optimizer.state.update(state)
    if counted:
        torch_internals.count_steps(optimizer)
