"""What torch has no public name for: what each buys, and what is done where it is not there any more.

Looked up once, and tried. With TRAINCONSOLE_PUBLIC=1 in the environment all is done the public way: slower,
to the same bits.
"""

import inspect
import os
from collections.abc import Callable
from functools import reduce, wraps
from typing import Any

import torch
from torch import Tensor, nn, optim

PUBLIC_ONLY = bool(os.environ.get("TRAINCONSOLE_PUBLIC"))

NEVER_COMPILED = ("add_param_group", "state_dict", "load_state_dict")


def _found(start: Any, path: str) -> Any:
    """`start.path`, None where there is no such thing."""
    return None if PUBLIC_ONLY else reduce(lambda one, name: getattr(one, name, None), path.split("."), start)


# --- optimizers ---


def _takes(kernel: Callable[..., None], kind: type[optim.Optimizer]) -> bool:
    """Whether it still has the arguments that it is called with."""
    numbers = {"lr": 0.1, "weight_decay": 0.0, "maximize": False, "grad_scale": None, "found_inf": None}
    lists = [[torch.zeros(1)], [torch.ones(1)]]
    if kind is optim.SGD:
        lists += [[]]
        numbers |= {"momentum": 0.0, "dampening": 0.0, "nesterov": False, "is_first_step": False}
    else:
        lists += [[torch.zeros(1)], [torch.zeros(1)], [], [torch.ones(())]]
        numbers |= {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "amsgrad": False}
    try:
        kernel(*lists, **numbers)
    except (TypeError, RuntimeError):
        return False
    return bool(lists[0][0] < 0)


_NAMES = {optim.Adam: "_fused_adam_", optim.AdamW: "_fused_adamw_", optim.SGD: "_fused_sgd_"}
_KERNELS = {
    kind: kernel for kind, name in _NAMES.items() if (kernel := _found(torch, name)) and _takes(kernel, kind)
}


def fused_kernel(kind: type) -> Callable[..., None] | None:
    """The kernel under a fused Adam, AdamW or SGD: 0.1 ms less a step than Optimizer.step() around it, a
    tenth of the time of a net of 784-128-10. None: it has to be step()."""
    return _KERNELS.get(kind)


def step(optimizer: optim.Optimizer) -> None:
    """optimizer.step(); of torch's own ones without what is wrapped around it for profilers and compilers,
    which takes 40 us."""
    if PUBLIC_ONLY or not is_torchs(optimizer):
        optimizer.step()
        return
    with torch.no_grad():
        inspect.unwrap(type(optimizer).step)(optimizer)


def is_torchs(optimizer: optim.Optimizer) -> bool:
    """Whether it comes with torch, and is no class of the user's own."""
    return type(optimizer).__module__.startswith("torch.optim.")


def spare_the_compiler() -> None:
    """Mark the methods that torch would import its compiler to mark, when the first optimizer of a process is
    made: that is 1.6 s of each start, and 150 MB. Without them it does that."""
    for name in NEVER_COMPILED:
        function = _found(optim.Optimizer, f"{name}.__wrapped__")
        if function is not None:
            function.__dynamo_disable = function


COUNTED = "_wrapped_by_lr_sched"
"""What torch's schedulers put on the wrapper that they put around an optimizer's `step`."""


def is_counted(step: Any) -> bool:
    """Whether `step` is such a wrapper, which tells a scheduler that the optimizer has stepped before it."""
    return hasattr(step, COUNTED)


def count_steps(optimizer: Any) -> None:
    """Put one like it around the step of an optimizer that has changed its class."""
    plain = type(optimizer).step

    @wraps(plain)
    def step(*args: Any, **kwargs: Any) -> Any:
        optimizer._opt_called = True
        return plain(optimizer, *args, **kwargs)

    setattr(step, COUNTED, True)
    optimizer.step = step


# --- tensors and modules ---

_copy_all = _found(torch, "_foreach_copy_")


def copy_all(into: list[Tensor], tensors: list[Tensor]) -> None:
    """Each of `tensors` into its place in `into`; in one launch, where torch has that."""
    if _copy_all is not None:
        _copy_all(into, tensors)
        return
    for place, tensor in zip(into, tensors, strict=True):
        place.copy_(tensor)


_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_BATCH_BASE = _found(nn, "modules.batchnorm._BatchNorm")
_NORM_BASE = _found(nn, "modules.batchnorm._NormBase")
_INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)

BATCH_NORMS: tuple[type[nn.Module], ...] = (
    *_BATCH_NORMS,
    *filter(None, [_BATCH_BASE]),
)
"""With the base of all of them: a user's own subclass of it counts."""

NORMS: tuple[type[nn.Module], ...] = (*BATCH_NORMS, *_INSTANCE_NORMS, *filter(None, [_NORM_BASE]))
"""Those that cannot train on a single value for each channel."""


def has_instructions_for(precision: str) -> bool:
    """Whether this processor computes in "bfloat16" or "float16"; True where torch does not say."""
    names = {"bfloat16": "_is_mkldnn_bf16_supported", "float16": "_is_mkldnn_fp16_supported"}
    asked = _found(torch.ops.mkldnn, names[precision]) if precision in names else None
    return True if asked is None else bool(asked())


# --- loading processes ---

_worker = _found(torch, "utils.data._utils.worker")
CAN_PRETEND = _worker is not None and hasattr(_worker, "_worker_info")
"""Whether a process can be made to look like one of several that load data: so it is found out whether a
stream shares itself out, and a run goes on with the process whose turn it is. Where not, one reads."""


def set_worker_info(info: Any) -> None:
    """Have get_worker_info() return `info`. Only where CAN_PRETEND."""
    assert _worker is not None
    _worker._worker_info = info
