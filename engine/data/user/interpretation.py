"""How the parts of a user's data are taken: one rule for tensors, datasets and streams."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import ImportedData
from trainconsole.engine.data.loading.collate import collate_of
from trainconsole.engine.data.raw import RawSet
from trainconsole.engine.data.user import class_labels, preparation, targets
from trainconsole.engine.data.user.class_labels import Labels, as_labels
from trainconsole.engine.data.user.parts import Part, Parts, assembled
from trainconsole.engine.data.user.preparation import AS_GIVEN, Preparation
from trainconsole.engine.data.user.probe import WHAT

MANY = 20
"""Classes from which on integers that hardly repeat are pointed out as what may be meant for regression."""


def rows(parts: Parts, config: ImportedData) -> RawSet:
    """The rows of all parts, and the names of their classes. Raises UserError where they do not fit."""
    kinds = {
        targets.kind(part.look.targets, part.look.inputs, f"{WHAT}: the {name} targets", part.look.rows)
        for name, part in parts.items()
    }
    if len(kinds) > 1:
        raise UserError(f"{WHAT}: the parts differ in their targets: {', '.join(sorted(kinds))}")
    _check_inputs(parts)
    looks = [part.look.inputs for part in parts.values()]
    inputs = AS_GIVEN if config.as_given else preparation.of_inputs(looks)
    names, (kind,) = parts["train"].names, kinds
    if kind == "classes":
        return _of_classes(parts, inputs, names, config)
    if kind == "soft":
        return _of_shares(parts, inputs, names, config)
    _refuse_whole(parts, names)
    return assembled(parts, {}, inputs, (), config)


def _check_inputs(parts: Parts) -> None:
    for name, part in parts.items():
        if part.look.inputs.ndim < 2:
            raise UserError(
                f"{WHAT}: an input of the {name} part is a single number; give it a shape: (1,) or more"
            )
    shapes = {tuple(part.look.inputs.shape[1:]) for part in parts.values()}
    if len(shapes) > 1 and not any(collate_of(part.given) for part in parts.values()):
        raise UserError(f"{WHAT}: the parts differ in the shape of an input: {sorted(shapes)}")


def _refuse_whole(parts: Parts, names: tuple[str, ...] | None) -> None:
    """Floats that can only be class indices, as the data says that it has classes. Raises UserError."""
    seen = [part.look.targets for part in parts.values()]
    found = torch.cat([one.reshape(-1).double() for one in seen if isinstance(one, Tensor)])
    if names and bool(((found >= 0) & (found < len(names)) & (found == found.round())).all()):
        raise UserError(
            f"{WHAT}: the targets are floating-point numbers, and `classes` has {len(names)} names\n"
            "Make class indices integers: y.long() or y.astype('int64')."
        )


# --- classes ----------------------------------------------------------------------------------------------


def _of_classes(
    parts: Parts, inputs: Preparation, names: tuple[str, ...] | None, config: ImportedData
) -> RawSet:
    known = {name: _labels(part, names, config) for name, part in parts.items()}
    seen = {name: as_labels(part.look.targets) for name, part in parts.items()}
    every = [seen[name] if found is None else found for name, found in known.items()]
    if len({found.dtype.kind for found in every}) > 1:
        raise UserError(f"{WHAT}: the parts differ in their targets: integers and strings")
    if names is None and any(isinstance(part.given, IterableDataset) for part in parts.values()):
        raise UserError(
            f"{WHAT}: the number of classes is not known: give the stream an attribute `classes`, their names"
        )
    values, classes = preparation.class_values(np.unique(np.concatenate(every)).tolist(), names, WHAT)
    prepared = replace(inputs, values=values, classes=len(classes))
    mapped = {n: None if found is None else _indices(found, prepared) for n, found in known.items()}
    raw = assembled(parts, mapped, prepared, classes, config)
    size = sum(len(found) for found in every)
    numeric = every[0].dtype.kind != "U"
    if numeric and names is None and len(classes) > MANY and 2 * len(classes) > size:
        said = filter(None, (raw.warning, _hardly_repeat(len(classes), size)))
        return replace(raw, warning="; ".join(said))
    return raw


def _labels(part: Part, names: tuple[str, ...] | None, config: ImportedData) -> Labels | None:
    """The label of each row, as far as they can be known, and are needed."""
    seen = as_labels(part.look.targets)
    if part.given is None or isinstance(part.given, IterableDataset):
        return seen if part.given is None else None
    found = class_labels.stated(part.given, part.look.rows, seen)
    needed = config.balance != "none" or names is None or not _fits(seen, names)
    if found is None and needed:
        return class_labels.scanned(part.given, f"{WHAT}: {type(part.given).__name__}")
    return found


def _fits(seen: Labels, names: tuple[str, ...]) -> bool:
    return set(seen.tolist()) <= set(names if seen.dtype.kind == "U" else range(len(names)))


def _indices(found: Labels, prepared: Preparation) -> Tensor:
    """int64 (N,): the class of each row; -1 where it has none."""
    given = found.tolist() if found.dtype.kind == "U" else torch.from_numpy(found)
    indices: Tensor = prepared.targets(given)
    return indices


def _hardly_repeat(classes: int, size: int) -> str:
    return (
        f"integer targets are taken for classes, and these have {classes:,} values in {size:,} rows:"
        " for regression make them floats, y.float() or y.astype('float32')"
    )


def _of_shares(
    parts: Parts, inputs: Preparation, names: tuple[str, ...] | None, config: ImportedData
) -> RawSet:
    widths = {part.look.targets.shape[1] for part in parts.values()}
    if len(widths) > 1:
        raise UserError(f"{WHAT}: the parts differ in the number of classes: {sorted(widths)}")
    (count,) = widths
    if names and len(names) != count:
        raise UserError(
            f"{WHAT}: `classes` has {len(names)} names, and the targets are probabilities of {count} classes"
        )
    prepared = replace(inputs, classes=count, soft=True)
    return assembled(parts, {}, prepared, names or tuple(str(number) for number in range(count)), config)
