"""Updates that are not finite: withheld before they reach the weights.

A step reads: guard.before(); loss = ...; if guard.admits(loss) is not False: backward, clip,
guard.step(optimizer).
"""

import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn, optim
from torch.amp import GradScaler

from trainconsole.engine.optim.fast_step import Direct
from trainconsole.engine.tensors import torch_internals


class Guard(Protocol):
    """Withholds updates whose loss is not finite: weights, optimizer state and buffers stay as they were."""

    looks_back: bool
    """Whether a withheld update shows only later, at a read-back, which returns to it."""

    def before(self) -> None:
        """Call before the forward."""

    def admits(self, loss: Tensor) -> bool | None:
        """Whether the update may be made: False, it is withheld; None, the device will know."""

    def poisoned(self, loss: Tensor) -> Tensor:
        """For a GradScaler: `loss`, or NaN where the update is to be withheld."""

    def step(self, optimizer: optim.Optimizer, scaler: GradScaler) -> None:
        """optimizer.step(), through `scaler` where that is enabled, unless the update is to be withheld."""

    def put_back(self) -> None:
        """Buffers as they were at the last `before`."""

    def withheld(self) -> bool:
        """Whether an update was withheld since `clear`; waits for the device."""

    def clear(self) -> None:
        """Start anew; also after optimizer or model were loaded from a state."""


def build_guard(model: nn.Module, device: torch.device, *, sticky: bool) -> Guard:
    """The guard for `device`. `sticky`: on an accelerator, after a withheld update the later ones are too."""
    return HostGuard(model) if device.type == "cpu" else DeviceGuard(model, device, sticky=sticky)


class HostGuard:
    """Looks at the loss at every step: on a CPU that costs nothing."""

    def __init__(self, model: nn.Module) -> None:
        self.looks_back = False
        self._buffers = _Buffers(model)
        self._withheld = False
        self._direct: Direct | None = None

    def before(self) -> None:
        self._buffers.keep()

    def admits(self, loss: Tensor) -> bool:
        if math.isfinite(loss.item()):
            return True
        self._buffers.put_back()
        self._withheld = True
        return False

    def poisoned(self, loss: Tensor) -> Tensor:
        return loss

    def step(self, optimizer: optim.Optimizer, scaler: GradScaler) -> None:
        if scaler.is_enabled():
            scaler.step(optimizer)
            scaler.update()
            return
        direct = self._direct
        if direct is None or not direct.belongs_to(optimizer) or not direct.step():
            torch_internals.step(optimizer)
            self._direct = Direct.of(optimizer)

    def put_back(self) -> None:
        self._buffers.put_back()

    def withheld(self) -> bool:
        return self._withheld

    def clear(self) -> None:
        self._withheld = False


class DeviceGuard:
    """Decides on the device, without a synchronisation.

    Fused optimizers skip on `found_inf`. For torch's others, parameters and state are copied before the step
    and put back after it where the flag says so: zeroed gradients would still move weights by momentum.
    Where that does not cover the state (the first step, which makes it; counts kept off the device; an
    optimizer of the user's own) the flag is read by the host.
    """

    def __init__(self, model: nn.Module, device: torch.device, *, sticky: bool) -> None:
        self.looks_back = sticky
        self._buffers = _Buffers(model)
        self._sticky = sticky
        self._flag = torch.zeros((), device=device)
        self._seen = torch.zeros((), device=device)
        self._settled: tuple[optim.Optimizer, int] | None = None
        self._copies: list[Tensor] = []

    def before(self) -> None:
        self._buffers.keep()

    def admits(self, loss: Tensor) -> None:
        bad = loss.detach().isfinite().logical_not()
        self._seen.copy_(self._seen.logical_or(bad))
        self._flag.copy_(self._seen if self._sticky else bad)

    def poisoned(self, loss: Tensor) -> Tensor:
        return loss.where(self._flag == 0, torch.nan)

    @torch.no_grad()
    def step(self, optimizer: optim.Optimizer, scaler: GradScaler) -> None:
        if scaler.is_enabled():
            self._step_scaled(optimizer, scaler)
            return
        moving = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if self._settled != (optimizer, len(moving)):
            self._step_after_looking(optimizer, moving)
        elif _is_fused(optimizer):
            self._step_fused(optimizer)
        else:
            self._step_and_put_back(optimizer, moving)
        self._buffers.put_back_where(self._flag.bool())

    def _step_scaled(self, optimizer: optim.Optimizer, scaler: GradScaler) -> None:
        """The scaler skips by itself on gradients that are not finite, and lowers its scale."""
        scaler.step(optimizer)
        scaler.update()
        self._buffers.put_back_where(self._flag.bool())

    def _step_fused(self, optimizer: Any) -> None:
        optimizer.grad_scale, optimizer.found_inf = None, self._flag
        torch_internals.step(optimizer)

    def _step_and_put_back(self, optimizer: optim.Optimizer, moving: list[Tensor]) -> None:
        live = [*moving, *_state_tensors(optimizer, moving)]
        if len(self._copies) != len(live):
            self._copies = [tensor.detach().clone() for tensor in live]
        torch_internals.copy_all(self._copies, live)
        torch_internals.step(optimizer)
        _put_back_where(self._flag.bool(), live, self._copies)

    def _step_after_looking(self, optimizer: Any, moving: list[Tensor]) -> None:
        if bool(self._flag):
            return
        optimizer.grad_scale = optimizer.found_inf = None
        torch_internals.step(optimizer)
        values = [value for p in moving for value in optimizer.state.get(p, {}).values()]
        if torch_internals.is_torchs(optimizer) and all(
            value is None or _is_on(value, self._flag.device) for value in values
        ):
            self._settled, self._copies = (optimizer, len(moving)), []

    def put_back(self) -> None:
        self._buffers.put_back()

    def withheld(self) -> bool:
        return bool(self._seen)

    def clear(self) -> None:
        self._flag.zero_()
        self._seen.zero_()
        self._settled, self._copies = None, []


class _Buffers:
    """A model's buffers (BatchNorm's running statistics) as they were before a forward.

    They are looked up by name at each step: a module may assign a new tensor. Sparse ones are constants.
    """

    def __init__(self, model: nn.Module) -> None:
        self._places = [
            (module, name)
            for module in model.modules()
            for name, buffer in module.named_buffers(recurse=False)
            if buffer.layout == torch.strided
        ]
        self._copies = [tensor.detach().clone() for tensor in self._live()]

    def _live(self) -> list[Tensor]:
        return [getattr(module, name) for module, name in self._places]

    @torch.no_grad()
    def keep(self) -> None:
        if self._copies:
            torch_internals.copy_all(self._copies, self._live())

    @torch.no_grad()
    def put_back(self) -> None:
        if self._copies:
            torch_internals.copy_all(self._live(), self._copies)

    @torch.no_grad()
    def put_back_where(self, bad: Tensor) -> None:
        _put_back_where(bad, self._live(), self._copies)


def _is_fused(optimizer: optim.Optimizer) -> bool:
    return all(group.get("fused") for group in optimizer.param_groups)


def _is_on(value: object, device: torch.device) -> bool:
    return isinstance(value, Tensor) and value.device.type == device.type


def _state_tensors(optimizer: optim.Optimizer, moving: list[Tensor]) -> list[Tensor]:
    return [v for p in moving for v in optimizer.state.get(p, {}).values() if isinstance(v, Tensor)]


def _put_back_where(bad: Tensor, live: list[Tensor], before: list[Tensor]) -> None:
    for tensor, copy in zip(live, before, strict=True):
        tensor.copy_(torch.where(bad, copy, tensor))
