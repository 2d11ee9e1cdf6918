"""The losses of a script: the tensors that backward() was called on.

torch.autograd.backward, through which Tensor.backward goes too, notes its argument, which takes 1 us. Under a
GradScaler the loss is noted as it was before it was scaled.
"""

import functools
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler

MOST = 4096
"""Losses between two updates that are kept; a script may call backward() without an end and never update."""
SCALED = 16


class Losses:
    """Notes from the beginning until `remove`."""

    def __init__(self) -> None:
        self._noted: deque[Tensor] = deque(maxlen=MOST)
        self._scaled: deque[tuple[Tensor, Tensor, GradScaler]] = deque(maxlen=SCALED)
        self._stopped = False
        self._replaced: list[tuple[Any, str, Any, Any]] = []
        self._replace(torch.autograd, "backward", self._noting)
        self._replace(GradScaler, "scale", self._scaling)

    def take(self) -> list[Tensor]:
        """Those since the last time, without the graph behind them."""
        if not self._noted:
            return []
        noted = [*self._noted]
        self._noted.clear()
        if self._scaled:
            self._scaled.clear()
        return noted

    def remove(self) -> None:
        """What was replaced is as it was, unless somebody else has replaced it since: then it stays, and
        notes nothing."""
        self._stopped = True
        for place, name, ours, original in self._replaced:
            if getattr(place, name) is ours:
                setattr(place, name, original)
        self._noted.clear()
        self._scaled.clear()

    def _replace(self, place: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        original = getattr(place, name)
        ours = functools.wraps(original)(wrap(original))
        self._replaced.append((place, name, ours, original))
        setattr(place, name, ours)

    def _noting(self, original: Callable[..., None]) -> Callable[..., None]:
        def backward(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            self._note(args[0] if args else kwargs.get("tensors"))

        return backward

    def _note(self, tensors: Any) -> None:
        loss = tensors if isinstance(tensors, Tensor) else _only(tensors)
        if loss is None or loss.numel() != 1 or self._stopped:
            return
        self._noted.append(self._unscaled(loss) if self._scaled else loss.detach())

    def _scaling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def scale(scaler: GradScaler, outputs: Any) -> Any:
            scaled = original(scaler, outputs)
            self._note_scaled(scaler, outputs, scaled)
            return scaled

        return scale

    def _note_scaled(self, scaler: GradScaler, outputs: Any, scaled: Any) -> None:
        if isinstance(outputs, Tensor) and scaled is not outputs and not self._stopped:
            self._scaled.append((scaled, outputs.detach(), scaler))

    def _unscaled(self, loss: Tensor) -> Tensor:
        """What was computed from a scaled loss afterwards is divided by the scale."""
        for entry in self._scaled:
            if entry[0] is loss:
                self._scaled.remove(entry)
                return entry[1]
        return loss.detach() / self._scaled[-1][2].get_scale()


def _only(tensors: Any) -> Tensor | None:
    """Of several tensors the only one; None where there are more."""
    found = [*tensors] if isinstance(tensors, list | tuple) else []
    return found[0] if len(found) == 1 and isinstance(found[0], Tensor) else None
