"""The rate, weight decay and clipping that an update of a script's own optimizer uses.

Set in the optimizer's step pre hook and put back in its post hook: what the script's own scheduler reads and
writes is never touched, to the bit. Both hooks together take 0.4 us where nothing is steered.
"""

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn, optim

KEPT = ("lr", "weight_decay")


class Steering:
    """What commands have set for all optimizers of a run: `factor` multiplies the script's own rates,
    `planned` replaces the first one's (the others keep their ratio to it), None leaves each to the script."""

    def __init__(self) -> None:
        self.factor = 1.0
        self.planned: float | None = None
        self.weight_decay: float | None = None
        self.clip_norm: float | None = None
        self.clip_value: float | None = None
        self.measures_norm = False

    @property
    def idle(self) -> bool:
        """Whether every update is as the script has it."""
        return (
            self.factor == 1.0
            and self.planned is None
            and self.weight_decay is None
            and not self.looks_at_gradients
        )

    @property
    def looks_at_gradients(self) -> bool:
        return self.clip_norm is not None or self.clip_value is not None or self.measures_norm


class Hooked:
    """One optimizer: `updates` counts what it did, `lr` is the rate of the newest, `norm` the gradient norm
    before it was clipped, None where it was not measured. `factor` is for its rates alone, on top of what is
    for all. It is the script's: nothing here keeps it alive."""

    def __init__(self, name: str, optimizer: optim.Optimizer, steering: Steering) -> None:
        self.name = name
        self.factor = 1.0
        self.updates = 0
        self.lr: float | Tensor = 0.0
        self.norm: Tensor | None = None
        self.first: Callable[[], float] = self.own_rate
        self._optimizer = weakref.ref(optimizer)
        self._steering = steering
        self._before: list[dict[str, Any]] = []
        # Of a class whose step() calls that of its base, both have the hooks.
        self._depth = 0
        self._handles = [
            optimizer.register_step_pre_hook(self._set),
            optimizer.register_step_post_hook(self._put_back),
        ]

    @property
    def is_gone(self) -> bool:
        return self._optimizer() is None

    @property
    def optimizer(self) -> optim.Optimizer:
        """Raises ReferenceError where the script has let go of it."""
        found = self._optimizer()
        if found is None:
            raise ReferenceError(f"{self.name} is gone")
        return found

    def own_rate(self) -> float:
        """The rate that the script has set, of the first group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def rate(self) -> float:
        """The rate of the next update, of the first group."""
        return self.own_rate() * self._ratio()

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _ratio(self) -> float:
        planned = self._steering.planned
        if planned is None:
            return self._steering.factor * self.factor
        first = self.first()
        return planned / first * self.factor if first else 0.0

    def _planned(self) -> float:
        """Where the script's own rate is 0."""
        return (self._steering.planned or 0.0) * self.factor

    # --- the hooks ---

    def _set(self, optimizer: optim.Optimizer, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        self._depth += 1
        if self._depth > 1:
            return None
        if self._steering.idle and self.factor == 1.0:
            self.lr = optimizer.param_groups[0]["lr"]
            return None
        changed = self._clip_when_there(optimizer, args, kwargs)
        ratio, decay = self._ratio(), self._steering.weight_decay
        for group in optimizer.param_groups:
            kept = {name: group[name] for name in KEPT if name in group}
            rate = kept["lr"]
            if isinstance(rate, Tensor):
                kept["lr"] = rate.clone()
                # In place: a compiled step is compiled for this very tensor.
                rate.fill_(float(rate) * ratio if ratio else self._planned())
            else:
                group["lr"] = rate * ratio if ratio else self._planned()
            if decay is not None and "weight_decay" in group:
                group["weight_decay"] = decay
            self._before.append(kept)
        rate = optimizer.param_groups[0]["lr"]
        self.lr = rate.clone() if isinstance(rate, Tensor) else rate
        return changed

    def _put_back(self, optimizer: optim.Optimizer, args: Any, kwargs: Any) -> None:
        self._depth -= 1
        if self._depth:
            return
        if self._before:
            self._restore()
        self.updates += 1

    def settle(self) -> None:
        """Between two updates: after one that raised, all is put back."""
        if self._depth:
            self._depth = 0
            self._restore()

    def _restore(self) -> None:
        for group, kept in zip(self.optimizer.param_groups, self._before, strict=False):
            for name, value in kept.items():
                if isinstance(value, Tensor) and isinstance(group[name], Tensor):
                    group[name].copy_(value)
                else:
                    group[name] = value
        self._before = []

    def _clip_when_there(self, optimizer: optim.Optimizer, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        """Now, or where a closure makes the gradients, when it has; what `step` is then called with."""
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        if closure is None or not self._steering.looks_at_gradients:
            self._clip(optimizer)
            return None

        def clipped() -> Any:
            loss = closure()
            self._clip(optimizer)
            return loss

        return args[:1], {**kwargs, "closure": clipped}

    def _clip(self, optimizer: optim.Optimizer) -> None:
        """By value, then by the norm of all its gradients. Under a GradScaler that leaves the scale to the
        optimizer, the gradients still have it."""
        steering = self._steering
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        scale = getattr(optimizer, "grad_scale", None)
        if steering.clip_value is not None and parameters:
            bound = steering.clip_value * (float(scale) if scale is not None else 1.0)
            nn.utils.clip_grad_value_(parameters, bound)
        if (steering.clip_norm is None and not steering.measures_norm) or not parameters:
            self.norm = None
            return
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        self.norm = (norm / scale if scale is not None else norm).detach()
        if steering.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(parameters, steering.clip_norm, self.norm)
