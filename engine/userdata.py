"""What a user's own data function returned, as rows: tensors, datasets or streams."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from trainconsole.engine.config import ImportedData
from trainconsole.engine.errors import UserError
from trainconsole.engine.firstlook import WHAT, class_names, dataset_rows, describe, stream_rows
from trainconsole.engine.imported import call, load_object
from trainconsole.engine.rows import RawSet, Rows, TensorRows

TAKES = (
    "It takes (train, val, test), (train, test), train, or a dict with these keys; each a Dataset,\n"
    "an IterableDataset or a pair (inputs, targets) of tensors or arrays."
)


def read(config: ImportedData) -> RawSet:
    """Call the user's function and take what it returns. Raises UserError for anything that does not fit."""
    function = load_object(config.target, WHAT)
    returned = call(function, f"{WHAT}: {config.target}()", **config.args)
    parts = {name: _rows(part, name, config) for name, part in _parts(returned, config.target).items()}
    if not all(len(rows) for rows in parts.values()):
        raise UserError(f"{WHAT}: {config.target}() returned an empty part: {_sizes(parts)}")
    shapes = {rows.input_shape for rows in parts.values()}
    if len(shapes) > 1:
        raise UserError(f"{WHAT}: the parts differ in the shape of an input: {sorted(shapes)}")
    return _raw_set(parts)


def _parts(returned: Any, target: str) -> dict[str, Any]:
    if isinstance(returned, dict):
        if "train" in returned and set(returned) <= {"train", "val", "test"}:
            return {name: part for name, part in returned.items() if part is not None}
        raise UserError(
            f"{WHAT}: {target}() returned a dict with the keys {sorted(map(str, returned))}\n{TAKES}"
        )
    if isinstance(returned, Dataset) or _is_pair(returned):
        return {"train": returned}
    if isinstance(returned, tuple | list) and len(returned) in (2, 3):
        names = ("train", "test") if len(returned) == 2 else ("train", "val", "test")
        found = {name: part for name, part in zip(names, returned, strict=True) if part is not None}
        if "train" in found and all(isinstance(p, Dataset) or _is_pair(p) for p in found.values()):
            return found
    raise UserError(f"{WHAT}: {target}() returned {describe(returned)}\n{TAKES}")


def _is_pair(value: Any) -> bool:
    two = isinstance(value, tuple | list) and len(value) == 2
    return two and all(isinstance(part, Tensor | np.ndarray) for part in value)


def _rows(part: Any, name: str, config: ImportedData) -> Rows:
    if isinstance(part, TensorDataset) and len(part.tensors) == 2:
        return _tensors(part.tensors[0], part.tensors[1], name)
    if isinstance(part, IterableDataset):
        return stream_rows(part, name, config)
    if isinstance(part, Dataset):
        return dataset_rows(part, name, config)
    return _tensors(_tensor(part[0], f"{name} inputs"), _tensor(part[1], f"{name} targets"), name)


def _tensor(values: Any, name: str) -> Tensor:
    try:
        found = torch.as_tensor(values).detach().cpu()
    except (TypeError, ValueError) as error:
        raise UserError(f"{WHAT}: the {name} have dtype {values.dtype}, not numbers: {error}") from None
    if found.is_complex():
        raise UserError(f"{WHAT}: the {name} are complex ({found.dtype}); real numbers are needed")
    return found


def _tensors(inputs: Tensor, targets: Tensor, name: str) -> TensorRows:
    if inputs.ndim < 2 or targets.ndim not in (1, 2) or len(inputs) != len(targets):
        raise UserError(
            f"{WHAT}: {name} inputs {tuple(inputs.shape)} and targets {tuple(targets.shape)} do not fit: "
            "(N, ...) and (N,) or (N, C) are needed"
        )
    kept = inputs.dtype == torch.float64 or (inputs.dtype == torch.uint8 and inputs.ndim == 4)
    inputs = inputs if kept else inputs.float()
    if not targets.is_floating_point():
        if targets.ndim == 2 and targets.shape[1] != 1:
            raise UserError(
                f"{WHAT}: {name} targets are integers of shape {tuple(targets.shape)}; (N,) is needed"
            )
        return TensorRows(inputs, targets.long().reshape(-1))
    targets = targets if targets.ndim == 2 else targets[:, None]
    if targets.shape[1] > 1 and not _is_soft(targets):
        raise UserError(
            f"{WHAT}: {name} targets {tuple(targets.shape)} are neither one number a row nor probabilities\n"
            "Give class indices (integers), one floating-point number, or rows that sum to 1."
        )
    return TensorRows(inputs, targets)


def _is_soft(targets: Tensor) -> bool:
    return bool((targets >= 0).all() and torch.allclose(targets.sum(1), targets.new_ones(()), atol=1e-3))


def _raw_set(parts: dict[str, Rows]) -> RawSet:
    kinds = {rows.kind for rows in parts.values()}
    if len(kinds) > 1:
        raise UserError(f"{WHAT}: the parts differ in their targets: {', '.join(sorted(kinds))}")
    if kinds == {"regression"}:
        return _assembled(parts, ())
    tensors = {name: rows for name, rows in parts.items() if isinstance(rows, TensorRows)}
    if len(tensors) == len(parts) and kinds == {"classes"}:
        return _relabelled(tensors)
    classes = _names(parts["train"])
    for name, rows in parts.items():
        if rows.labels is not None and not 0 <= int(rows.labels.min()) <= int(rows.labels.max()) < len(
            classes
        ):
            raise UserError(f"{WHAT}: the {name} part has class indices outside 0 to {len(classes) - 1}")
    return _assembled(parts, classes)


def _relabelled(parts: dict[str, TensorRows]) -> RawSet:
    """Whatever integers the labels are, classes are 0, 1, ... in their order, and keep their names."""
    values = torch.unique(torch.cat([rows.targets for rows in parts.values()]))
    if len(values) < 2:
        raise UserError(f"{WHAT}: all targets are {int(values[0])}; classification needs two classes or more")
    changed = {
        n: replace(rows, targets=torch.searchsorted(values, rows.targets)) for n, rows in parts.items()
    }
    return _assembled(changed, tuple(str(value) for value in values.tolist()))


def _assembled(parts: Mapping[str, Rows], classes: tuple[str, ...]) -> RawSet:
    return RawSet(parts["train"], parts.get("val"), parts.get("test"), classes)


def _names(train: Rows) -> tuple[str, ...]:
    names = None if isinstance(train, TensorRows) else class_names(train.dataset)
    if names:
        return names
    if train.kind == "soft":
        return tuple(str(number) for number in range(train.outputs))
    if train.labels is None:
        raise UserError(f"{WHAT}: the number of classes is not known: give the stream an attribute `classes`")
    return tuple(str(number) for number in range(int(train.labels.max()) + 1))


def _sizes(parts: dict[str, Rows]) -> str:
    return ", ".join(f"{name} {len(rows)}" for name, rows in parts.items())
