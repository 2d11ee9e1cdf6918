"""The data of a run: read, split, scaled on its training part, balanced, and placed on the device."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import AnyData, ImportedData
from trainconsole.engine.config.data import Data as DataConfig
from trainconsole.engine.data import balance, nonfinite_inputs, row_hashes
from trainconsole.engine.data.loading.batches import (
    DatasetSource,
    Source,
    StreamSource,
    TensorSource,
    epoch_order,
    stream_order,
)
from trainconsole.engine.data.pictures.rows import PictureRows, PictureSource
from trainconsole.engine.data.raw import DatasetRows, RawSet, Rows, StreamRows, TensorRows
from trainconsole.engine.data.scaling import Scaling, fit, fit_chunks, imagenet, unit_images
from trainconsole.engine.data.sets import builtin
from trainconsole.engine.data.splits import split
from trainconsole.engine.data.user import user_function
from trainconsole.engine.tensors.random_state import seed_generators

STREAM = (
    "an IterableDataset gives its samples in its own order: a resume in mid-epoch skips forward, exact only"
    " where the stream gives the same ones again"
)


@dataclass(frozen=True)
class Data:
    """Everything that a trainer wants to know about its data.

    `input_shape` is one row's; `classes` their names, () for regression. `class_weights` float32 (C,) on the
    device, for the loss; `pool` int64 and `weights` float64, on the CPU, shape the order of an epoch (see
    sources.epoch_order). `note` ("sample of 5,000") goes into the record, `said` what was done to the data,
    `warning` and `not_finite` to the person. `exact` is "" or why a resume in mid-epoch may not be exact.
    `fingerprint` is of all that was read. By part, train, val, test: `fingerprints`, counts, and `numbers`
    int64 (rows,), what the user calls the rows where that is not 0, 1, ... `keys` tell the training rows, see
    rowkeys.py.
    """

    train: Source
    val: Source | None
    test: Source | None
    task: Literal["classification", "regression"]
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    scaling: Scaling
    target_scaling: Scaling
    class_weights: Tensor | None
    pool: Tensor | None
    weights: Tensor | None
    note: str
    said: tuple[str, ...]
    warning: str
    not_finite: tuple[str, ...]
    fingerprint: str
    fingerprints: dict[str, str]
    sizes: dict[str, int]
    class_counts: dict[str, dict[str, int]]
    exact: str
    numbers: dict[str, Tensor | None]
    keys: row_hashes.Keys

    @property
    def images(self) -> bool:
        """Whether a row is an image (C, H, W)."""
        return len(self.input_shape) == 3

    @property
    def black(self) -> Tensor:
        """A black pixel as the model sees it: float32 (C,) on the CPU, (1,) where all channels are alike."""
        channels = len(self.scaling.offset) or 1
        return self.scaling.apply(torch.zeros(1, channels, 1, 1)).view(-1)

    @property
    def prints(self) -> dict[str, Any]:
        """What tells this data from other data, for meta.json; see fingerprints.changed."""
        return {"fingerprint": self.fingerprint, "fingerprints": self.fingerprints}

    @property
    def epoch_size(self) -> int:
        """The number of samples in an epoch: more than train.size with oversampling."""
        return self.train.size if self.pool is None else len(self.pool)

    def called(self, order: Tensor, first: int, last: int) -> tuple[int, ...]:
        """What the user calls the training rows at the positions from `first` to before `last` of `order`."""
        if isinstance(self.train, StreamSource):
            return tuple(range(first, last))
        rows, known = order[first:last], self.numbers["train"]
        return tuple((rows if known is None else known[rows]).tolist())

    def order(self, seed: int, epoch: int) -> Tensor:
        """The row at each position of `epoch`, int64 (epoch_size,) on the CPU."""
        if isinstance(self.train, StreamSource):
            return stream_order(self.train.size, seed, epoch)
        return epoch_order(self.train.size, seed, epoch, self.pool, self.weights)


def load(
    config: AnyData, seed: int, data_dir: Path, device: torch.device, seen: row_hashes.Seen | None = None
) -> Data:
    """The data that `config` describes, where `seen` is what the first weights were trained on.

    Raises UserError for anything that a user can cause.
    """
    raw = split(_read(config, seed, data_dir), config, seed)
    raw = row_hashes.unseen(raw, seen, config.split.on_seen)
    scaling, target_scaling = _scaling(raw.train, config), _target_scaling(raw, config)
    parts = {"train": raw.train, "val": raw.val, "test": raw.test}
    sources = {
        name: _source(rows, raw, scaling, target_scaling, device) for name, rows in parts.items() if rows
    }
    weights, row_weights, pool = _balance(raw, config)
    class_counts = {name: balance.named_counts(rows, raw.classes) for name, rows in parts.items()}
    return Data(
        train=sources["train"],
        val=sources.get("val"),
        test=sources.get("test"),
        task="classification" if raw.classes else "regression",
        classes=raw.classes,
        input_shape=raw.train.input_shape,
        scaling=scaling,
        target_scaling=target_scaling,
        class_weights=None if weights is None else weights.to(device),
        pool=pool,
        weights=row_weights,
        note=raw.note,
        said=raw.said,
        warning="; ".join(filter(None, (raw.warning, balance.untrained(class_counts["train"])))),
        not_finite=tuple(filter(None, (nonfinite_inputs.told(rows, name) for name, rows in parts.items()))),
        fingerprint=_fingerprint(parts),
        fingerprints={name: _fingerprint({name: rows}) for name, rows in parts.items() if rows},
        sizes={name: len(rows) if rows else 0 for name, rows in parts.items()},
        class_counts=class_counts,
        exact=STREAM if isinstance(raw.train, StreamRows) else "",
        numbers={name: rows.numbers() for name, rows in parts.items() if rows},
        keys=row_hashes.keys(raw.train),
    )


def _read(config: AnyData, seed: int, data_dir: Path) -> RawSet:
    if isinstance(config, ImportedData):
        seed_generators(seed)
        return user_function.read(config)
    return builtin.read(config, seed, data_dir)


def _scaling(train: Rows, config: DataConfig) -> Scaling:
    if config.scaling == "imagenet" and not isinstance(train, StreamRows | DatasetRows):
        return imagenet(train.input_shape)
    if isinstance(train, TensorRows):
        return fit(config.scaling, train.inputs)
    if config.scaling == "none":
        return Scaling()
    if isinstance(config, ImportedData) or isinstance(train, StreamRows):
        raise UserError(
            f"data.scaling = '{config.scaling}': only tensors are scaled; set it to 'none' "
            "and let the dataset do it"
        )
    source: Source
    if isinstance(train, PictureRows):
        source = PictureSource(train, torch.device("cpu"), Scaling())
    else:
        source = DatasetSource(train.dataset, len(train), torch.device("cpu"), True, train.workers)
    return fit_chunks(config.scaling, (x for x, _ in source.batches(torch.arange(len(train)), 0, 256)))


def _target_scaling(raw: RawSet, config: DataConfig) -> Scaling:
    if config.target_scaling == "none":
        return Scaling()
    if raw.classes or not isinstance(raw.train, TensorRows):
        raise UserError("data.target_scaling: it is for regression on tensors; set it to 'none'")
    return fit(config.target_scaling, raw.train.targets)


def _source(
    rows: Rows, raw: RawSet, scaling: Scaling, target_scaling: Scaling, device: torch.device
) -> Source:
    classification = bool(raw.classes)
    if isinstance(rows, StreamRows):
        return StreamSource(rows.dataset, len(rows), device, classification, rows.workers, rows.preparation)
    if isinstance(rows, PictureRows):
        return PictureSource(rows, device, scaling)
    if isinstance(rows, DatasetRows):
        return DatasetSource(
            rows.dataset, len(rows), device, classification, rows.workers, scaling, rows.preparation
        )
    targets = rows.targets
    if targets.is_floating_point():
        targets = target_scaling.apply(targets)
    try:
        return TensorSource(scaling.apply(unit_images(rows.inputs)).to(device), targets.to(device))
    except torch.OutOfMemoryError:
        raise UserError(
            f"data: {len(rows):,} rows of {rows.input_shape} do not fit in the memory of {device}\n"
            "Set data.limit, or train with --device cpu."
        ) from None


def _balance(raw: RawSet, config: DataConfig) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Class weights, row weights and pool, of which at most one is not None."""
    if config.balance == "none":
        return None, None, None
    labels, classes = balance.labels_to_balance(raw.train, config.balance), len(raw.classes)
    if config.balance == "class_weights":
        return balance.class_weights(labels, classes), None, None
    if config.balance == "weighted_sampler":
        return None, balance.row_weights(labels, classes), None
    return None, None, balance.oversampled(labels, classes)


def _fingerprint(parts: dict[str, Rows | None]) -> str:
    """sha256 over what each part holds, before scaling."""
    digest = hashlib.sha256()
    for name, rows in parts.items():
        digest.update(name.encode())
        for piece in rows.contents() if rows else ():
            digest.update(piece)
    return digest.hexdigest()
