"""Rows of what a user's function returned, once it is clear what they stand for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import ImportedData
from trainconsole.engine.data.loading import streams
from trainconsole.engine.data.nonfinite_inputs import NAMED, not_finite
from trainconsole.engine.data.raw import DatasetRows, RawSet, Rows, StreamRows, TensorRows
from trainconsole.engine.data.user import probe
from trainconsole.engine.data.user.preparation import Preparation
from trainconsole.engine.data.user.probe import WHAT, Look


@dataclass(frozen=True)
class Part:
    """`given` is a dataset or a stream, None for tensors, of which `look` is all; `names` those that it says
    of its classes."""

    given: Dataset[Any] | None
    look: Look
    names: tuple[str, ...] | None


Parts = Mapping[str, Part]


def assembled(
    parts: Parts,
    known: Mapping[str, Tensor | None],
    prepared: Preparation,
    classes: tuple[str, ...],
    config: ImportedData,
) -> RawSet:
    """The rows of all parts, prepared; `known` are the classes of rows, by part, where they are known."""
    said = [*prepared.said(tuple(parts["train"].look.inputs.shape[1:]))]
    found: dict[str, Rows] = {}
    for name, part in parts.items():
        if part.given is None:
            found[name] = _tensors(part.look, known.get(name), prepared)
        elif isinstance(part.given, IterableDataset):
            found[name], more = _stream(part.given, part.look, prepared, name, config)
            said += [text for text in more if text not in said]
        else:
            found[name] = DatasetRows(
                part.given, *_first(part.look, prepared), known.get(name), config.workers, prepared
            )
    warning = "; ".join(filter(None, (_odd(part, name) for name, part in parts.items())))
    return RawSet(
        found["train"], found.get("val"), found.get("test"), classes, warning=warning, said=tuple(said)
    )


def _odd(part: Part, name: str) -> str:
    """Of a dataset or stream, samples looked at that are not finite; tensors are counted after the split."""
    bad = [] if part.given is None else not_finite(part.look.inputs)
    if not bad:
        return ""
    first = ", ".join(str(part.look.rows[row]) for row in bad[:NAMED]) + (", ..." if bad[NAMED:] else "")
    return (
        f"{len(bad)} of {len(part.look.rows)} {name} samples that were looked at hold NaN or infinite inputs:"
        f" sample {first}"
    )


def _tensors(look: Look, indices: Tensor | None, prepared: Preparation) -> TensorRows:
    inputs, given = prepared.turned(look.inputs), look.targets
    kept = inputs.dtype == torch.float64 or (prepared.divide and inputs.dtype == torch.uint8)
    inputs = (inputs if kept else inputs.float()).contiguous()
    if indices is not None:
        return TensorRows(inputs, indices)
    assert isinstance(given, Tensor)
    return TensorRows(inputs, given if given.ndim == 2 else given[:, None])


def _stream(
    dataset: IterableDataset[Any], look: Look, prepared: Preparation, name: str, config: ImportedData
) -> tuple[StreamRows, tuple[str, ...]]:
    size, workers = probe.length(dataset, name, config), config.workers
    said: tuple[str, ...] = ()
    if not size:
        raise UserError(f"{WHAT}: the {name} part, a {type(dataset).__name__}, is empty")
    owner = type(dataset).__name__
    if workers > 1 and not streams.shares(dataset, f"{WHAT}: {owner}"):
        said = (
            f"stream {owner} read by one process, not {workers}: each would give all samples, as the stream"
            " does not share them out by get_worker_info()",
        )
        workers = 1
    return StreamRows(dataset, size, *_first(look, prepared), workers, prepared), said


def _first(look: Look, prepared: Preparation) -> tuple[tuple[int, ...], Tensor]:
    """Shape of an input as a model gets it, and a target."""
    shape = tuple(prepared.turned(look.inputs[:1]).shape[1:])
    if not prepared.classes:
        assert isinstance(look.targets, Tensor)
        return shape, look.targets[0].reshape(1)
    if prepared.soft:
        return shape, torch.as_tensor(look.targets[0])
    return shape, torch.tensor(0)
