"""The labels of a user's dataset, as far as they are known before training, and the names of its classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Subset

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import call
from trainconsole.engine.data.loading.sampling import seeded
from trainconsole.engine.data.user.arrays import Values, labels

SCANNED = 20_000
"""Samples of a dataset that are read for their labels alone, at most."""

Labels = NDArray[np.int64] | NDArray[np.str_]


def class_names(dataset: Any) -> tuple[str, ...] | None:
    """The attribute `classes`, of the dataset itself or of what it is a Subset of."""
    found = getattr(dataset, "classes", None)
    if isinstance(found, list | tuple | np.ndarray) and len(found):
        return tuple(str(name) for name in found)
    return class_names(dataset.dataset) if isinstance(dataset, Subset) else None


def as_labels(targets: Values) -> Labels:
    """Integers of any dtype, (N,) or (N, 1), or strings, as an array (N,)."""
    return targets.long().reshape(-1).numpy() if isinstance(targets, Tensor) else targets.reshape(-1)


def stated(dataset: Any, rows: Sequence[int], seen: Labels) -> Labels | None:
    """`targets` or `labels` of a dataset where its samples at `rows` have the same, `seen`; else None."""
    found = _stated(dataset)
    if found is None or len(found) != len(dataset) or found.dtype.kind != seen.dtype.kind:
        return None
    return found if np.array_equal(found[list(rows)], seen) else None


def scanned(dataset: Dataset[Any], what: str) -> Labels:
    """The label of each sample, read one by one. Raises UserError where they are too many."""
    size = len(dataset)  # type: ignore[arg-type]
    if size > SCANNED:
        raise UserError(
            f"{what} has {size:,} samples and says neither its classes nor its targets\n"
            "Give it an attribute `classes` (names) or `targets` (class indices)."
        )
    with seeded(0):
        found = [call(dataset.__getitem__, f"{what}[{i}]", i)[1] for i in range(size)]
    if isinstance(found[0], str):
        return np.array([str(one) for one in found])
    return np.array([np.asarray(one).item() for one in found]).astype(np.int64)


def _stated(dataset: Any) -> Labels | None:
    if isinstance(dataset, Subset):
        known = _stated(dataset.dataset)
        return None if known is None else known[np.asarray(dataset.indices)]
    found = getattr(dataset, "targets", getattr(dataset, "labels", None))
    try:
        values = None if found is None else labels(found, "")
    except (UserError, TypeError, ValueError, RuntimeError):
        return None
    if values is None or (isinstance(values, Tensor) and values.is_floating_point()):
        return None
    return as_labels(values) if values.ndim == 1 or tuple(values.shape[1:]) == (1,) else None
