"""The means of an epoch over its rows: a short last batch counts as what it is. No torch."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from msgspec import Struct


class Means(Struct, frozen=True):
    """Sums of the batches' mean losses and metrics, each times the batch's rows; and of these rows."""

    loss: float = 0.0
    metric: float = 0.0
    rows: float = 0.0

    def counted(self, losses: Iterable[float], values: Iterable[float], sizes: Iterable[int]) -> "Means":
        """With more batches; those of a loss that is not finite are left out."""
        loss, metric, rows = self.loss, self.metric, self.rows
        for one, value, size in zip(losses, values, sizes, strict=True):
            if isfinite(one):
                loss, metric, rows = loss + one * size, metric + value * size, rows + size
        return Means(loss, metric, rows)

    def named(self, metric: str) -> dict[str, float]:
        """{"loss": x, `metric`: y}; empty where nothing was counted."""
        if not self.rows:
            return {}
        return {"loss": self.loss / self.rows, metric: self.metric / self.rows}

    def stored(self) -> list[float]:
        """For a checkpoint."""
        return [self.loss, self.metric, self.rows]

    @staticmethod
    def of(state: Mapping[str, Any], batch_size: int) -> "Means":
        """Those in a checkpoint. An older one counted batches: each stands for `batch_size` rows."""
        if "epoch_means" in state:
            return Means(*state["epoch_means"])
        return Means(*(value * batch_size for value in state["epoch_sums"]))
