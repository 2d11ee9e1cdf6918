"""Counting classes, and making up for rare ones. Labels are int64 (N,), counts int64 (C,)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data.raw import Rows
from trainconsole.engine.data.user.preparation import listed


def counts(labels: Tensor, classes: int) -> Tensor:
    """How often each class occurs: int64 (C,)."""
    return torch.bincount(labels, minlength=classes)


def named_counts(rows: Rows | None, classes: Sequence[str]) -> dict[str, int]:
    """The same by name; empty where labels are not known, or there are none."""
    if rows is None or rows.labels is None:
        return {}
    return dict(zip(classes, counts(rows.labels, len(classes)).tolist(), strict=True))


def untrained(trained: Mapping[str, int]) -> str:
    """That there are classes without a row to learn them from, by the counts of the training part; "" where
    there are none, or labels are not known."""
    missing = [name for name, count in trained.items() if not count]
    return f"no training row is of class {listed(missing)}: nothing can be learned of it" if missing else ""


def labels_to_balance(rows: Rows, balance: str) -> Tensor:
    """The labels of the training rows. Raises UserError where `balance` has nothing to go by."""
    if rows.labels is None:
        raise UserError(f"data.balance = '{balance}': needs classes whose labels are known; set it to 'none'")
    return rows.labels


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """n / (k * count), as scikit-learn's "balanced": float32 (C,); 0 for a class that does not occur."""
    found = counts(labels, classes)
    weights = len(labels) / (classes * found.clamp(min=1))
    return torch.where(found > 0, weights, 0.0).float()


def row_weights(labels: Tensor, classes: int) -> Tensor:
    """1 / count of each row's class: float64 (N,)."""
    return 1.0 / counts(labels, classes)[labels].double()


def oversampled(labels: Tensor, classes: int) -> Tensor:
    """Row indices, int64: every class as often as the largest, its rows repeated in turn."""
    most = int(counts(labels, classes).max())
    rows = [(labels == c).nonzero().squeeze(1) for c in range(classes)]
    return torch.cat([r.repeat(-(-most // len(r)))[:most] for r in rows if len(r)])
