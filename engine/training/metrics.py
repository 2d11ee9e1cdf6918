"""Metrics: of batches, without a synchronisation; and of an evaluation, added up on the device."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainconsole.engine.config.tasks import METRICS, maximised

__all__ = ["METRICS", "Tally", "batch_metrics", "default_metric", "maximised"]


def default_metric(task: str) -> str:
    """The metric that decides which epoch is best, unless the config says otherwise."""
    return METRICS[task][0]


def batch_metrics(
    outputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    task: str,
    scale: float = 1.0,
    threshold: float = 0.0,
) -> NDArray[np.float32]:
    """Accuracy of each batch, or its MAE times `scale`: (batches,), read back from the device.

    Shapes are those of losses.Loss; a single output above `threshold` is class 1. Which batches come together
    does not matter to the last bit: hits are whole numbers, and errors are averaged a batch at a time. All at
    once is cheaper by 10 us a batch.
    """
    if task == "regression":
        errors = [_mean_error(o, t) for o, t in zip(outputs, targets, strict=True)]
        values: NDArray[np.float32] = (torch.stack(errors) * scale).cpu().numpy()
        return values
    hits = (_predicted(torch.cat([*outputs]), threshold) == _wanted(torch.cat([*targets]))).cpu().numpy()
    sizes = np.array([len(batch) for batch in targets])
    counts = np.add.reduceat(hits, sizes.cumsum() - sizes, dtype=np.int64)
    shares: NDArray[np.float32] = (counts / sizes).astype(np.float32)
    return shares


def _mean_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.flatten() - targets.flatten()).abs().mean(dtype=torch.float32)


class Tally:
    """Adds up an evaluation on the device, and is read once, at its end.

    A single output above `threshold` is class 1. `scale` is what a difference of targets is multiplied with
    to be in the target's own units. Sums are float64, float32 on MPS, which has no other.
    """

    def __init__(
        self, task: str, classes: int, scale: float, device: torch.device, threshold: float = 0.0
    ) -> None:
        self._task = task
        self._classes = classes
        self._scale = scale
        self._threshold = threshold
        self._rows = 0
        self._dtype = torch.float32 if device.type == "mps" else torch.float64
        self._loss = torch.zeros((), dtype=self._dtype, device=device)
        self._sums = torch.zeros(4, dtype=self._dtype, device=device)
        self._counts = torch.zeros(classes * classes, dtype=torch.int64, device=device)
        self._origin: Tensor | None = None

    def add(self, outputs: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Count a batch; `loss` is its 0-d mean."""
        self._rows += len(outputs)
        self._loss += loss.detach().to(self._dtype) * len(outputs)
        if self._task == "regression":
            self._add_numbers(outputs.detach().flatten().to(self._dtype), targets.flatten().to(self._dtype))
        else:
            cells = _wanted(targets).long() * self._classes + _predicted(outputs, self._threshold).long()
            self._counts.scatter_add_(0, cells, torch.ones_like(cells))

    def _add_numbers(self, outputs: Tensor, targets: Tensor) -> None:
        if self._origin is None:
            # The variance of targets far from 0 would drown in rounding.
            self._origin = targets.mean()
        error, centred = outputs - targets, targets - self._origin
        sums = [error.abs().sum(), error.square().sum(), centred.sum(), centred.square().sum()]
        self._sums += torch.stack(sums)

    def result(self) -> dict[str, float]:
        """The mean loss over all rows, and accuracy and balanced_accuracy (the mean recall of the classes
        that occur), or mae, rmse (both in the target's own units) and r2. NaN where nothing was counted."""
        rows = self._rows or math.nan
        loss = {"loss": float(self._loss) / rows}
        return loss | (self._of_numbers(rows) if self._task == "regression" else self._of_classes(rows))

    def _of_numbers(self, rows: float) -> dict[str, float]:
        absolute, square, centred, spread = self._sums.tolist()
        mae, rmse = self._scale * absolute / rows, self._scale * math.sqrt(square / rows)
        variation = spread - centred**2 / rows
        # As scikit-learn has it for targets that do not vary.
        r2 = 1.0 - square / variation if variation > 0 else float(square == 0)
        return {"mae": mae, "rmse": rmse, "r2": r2 if self._rows else math.nan}

    def _of_classes(self, rows: float) -> dict[str, float]:
        table = self._counts.view(self._classes, self._classes).double().cpu()
        right, total = table.diagonal(), table.sum(1)
        recalls = (right / total)[total > 0]
        return {"accuracy": float(right.sum()) / rows, "balanced_accuracy": float(recalls.mean())}

    def confusion(self) -> list[list[int]] | None:
        """Rows are the true classes, columns the predicted ones; None for regression."""
        if self._task == "regression":
            return None
        table: list[list[int]] = self._counts.view(self._classes, self._classes).tolist()
        return table


def _predicted(outputs: Tensor, threshold: float) -> Tensor:
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        return outputs.flatten() > threshold
    return outputs.argmax(1)


def _wanted(targets: Tensor) -> Tensor:
    if not targets.is_floating_point():
        return targets.flatten()
    if targets.ndim == 1 or targets.shape[1] == 1:
        return targets.flatten() > 0.5
    return targets.argmax(1)
