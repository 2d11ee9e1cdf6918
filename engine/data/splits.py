"""Which rows train, validate and test: sklearn's train_test_split, as the sources of the presets use it."""

from dataclasses import replace

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import Data as DataConfig
from trainconsole.engine.data.pictures.rows import PictureRows
from trainconsole.engine.data.raw import DatasetRows, RawSet, Rows, StreamRows, TensorRows

Known = TensorRows | DatasetRows | PictureRows


def split(raw: RawSet, config: DataConfig, seed: int) -> RawSet:
    """`raw` with a val and a test part, as far as config.split asks for them and raw has none.

    In this order: only the rows of config.classes, test, at most config.limit rows for training and
    validation, validation. Raises UserError where a share cannot be had.
    """
    shares = config.split
    seed = seed if shares.seed is None else shares.seed
    raw = keep_classes(raw, config.classes)
    train, val, test, said = raw.train, raw.val, raw.test, raw.warning
    if isinstance(train, StreamRows):
        return _stream(raw, config)
    if test is None and raw.divide_test and shares.test > 0:
        train, test, more = _divided(train, shares.test, seed, shares.stratify_test, "test")
        said = _joined(said, more)
    if config.limit is not None and config.limit < len(train):
        train = _limited(train, config.limit, seed)
    if val is None and shares.validation > 0:
        train, val, more = _divided(train, shares.validation, seed, shares.stratify_validation, "validation")
        said = _joined(said, more)
    return replace(raw, train=train, val=val, test=test, warning=said)


def keep_classes(raw: RawSet, keep: tuple[int, ...]) -> RawSet:
    """Only the rows of the classes `keep`, relabelled 0, 1, ... in that order; () keeps all."""
    if not keep:
        return raw
    if not raw.classes:
        raise UserError("data.classes: this is regression, there are no classes to choose from")
    if len(set(keep)) != len(keep) or len(keep) < 2 or not all(0 <= c < len(raw.classes) for c in keep):
        raise UserError(
            f"data.classes: {list(keep)}: give two or more different numbers from 0 to {len(raw.classes) - 1}"
        )
    return replace(
        raw,
        train=_kept(raw.train, keep),
        val=raw.val and _kept(raw.val, keep),
        test=raw.test and _kept(raw.test, keep),
        classes=tuple(raw.classes[c] for c in keep),
    )


def _kept(rows: Rows, keep: tuple[int, ...]) -> TensorRows | PictureRows:
    if not isinstance(rows, TensorRows | PictureRows) or rows.kind != "classes" or rows.labels is None:
        raise UserError("data.classes: works with tensors and class indices only; leave it empty")
    wanted = torch.tensor(keep)
    found = torch.isin(rows.labels, wanted).nonzero().squeeze(1)
    if not len(found):
        raise UserError(f"data.classes: no row has one of the classes {list(keep)}")
    labels = (rows.labels[found, None] == wanted).int().argmax(1)
    if isinstance(rows, PictureRows):
        return replace(rows.take(found), labels=labels)
    return replace(rows.take(found), targets=labels)


def _divided(rows: Known, share: float, seed: int, stratify: bool, name: str) -> tuple[Known, Known, str]:
    """The rest, a part of `share`, and a warning where rows are too few to stratify, and are not."""
    labels, warning = rows.labels if stratify else None, ""
    try:
        try:
            rest, part = _indices(len(rows), seed, labels, test_size=share)
        except ValueError:
            if labels is None:
                raise
            warning = f"the {name} part is not stratified: {_scarce(labels)}"
            rest, part = _indices(len(rows), seed, None, test_size=share)
    except ValueError as error:
        raise UserError(
            f"data.split.{name}: {len(rows):,} rows cannot be divided at {share}: {error}\n"
            f"Set data.split.{name} = 0 or another share."
        ) from None
    return rows.take(rest), rows.take(part), warning


def _scarce(labels: Tensor) -> str:
    """Why rows cannot be divided by class."""
    found = labels.bincount()
    found = found[found > 0]
    single = int((found == 1).sum())
    if single:
        return f"{single} of {len(found)} classes {'have' if single > 1 else 'has'} a single row"
    return f"{len(found)} classes have too few rows for one of each in both parts"


def _joined(first: str, second: str) -> str:
    return "; ".join(text for text in (first, second) if text)


def _limited(rows: Known, limit: int, seed: int) -> Known:
    try:
        chosen, _ = _indices(len(rows), seed, rows.labels, train_size=limit)
    except ValueError:  # a class too small to be divided, or fewer rows than classes
        chosen = torch.from_numpy(np.random.default_rng([seed]).permutation(len(rows))[:limit])
    return rows.take(chosen)


def _indices(size: int, seed: int, labels: Tensor | None, **shares: float) -> tuple[Tensor, Tensor]:
    """Seeds beyond numpy's 32 bits wrap around. Raises sklearn's ValueError."""
    stratify = None if labels is None else labels.numpy()
    first, second = train_test_split(np.arange(size), random_state=seed % 2**32, stratify=stratify, **shares)
    return torch.from_numpy(first), torch.from_numpy(second)


def _stream(raw: RawSet, config: DataConfig) -> RawSet:
    if config.limit is not None:
        raise UserError("data.limit: a stream has no rows to choose from; set data.length")
    return raw
