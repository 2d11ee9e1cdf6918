"""Rows known again: a number of 64 bits for each, by which a run that begins with the weights of another
finds rows that the other was trained on."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Subset

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import read_bytes, replace_file
from trainconsole.engine.data.pictures.rows import PictureRows
from trainconsole.engine.data.raw import DatasetRows, RawSet, Rows, StreamRows, TensorRows, first_samples

FILE = "trained_rows.bin"
"""In the run directory: the numbers of the rows trained on, sorted, little-endian u8."""
LARGEST = 2**30
CHUNK = 2**22
"""Bytes that are taken at a time."""

Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class Seen:
    """What the weights of `run`, that a run begins with, were trained on."""

    keys: Keys
    run: str


def keys(rows: Rows) -> Keys:
    """uint64 (N,): of tensors by their inputs, of pictures too large to be held by file, of a user's dataset
    by index; none of a stream, whose samples are not known beforehand."""
    match rows:
        case TensorRows():
            return _of_tensor(rows.inputs)
        case PictureRows():
            return np.array([_of_file(path) for path in rows.paths], dtype=np.uint64)
        case DatasetRows():
            return _of_dataset(rows)
        case StreamRows():
            return np.empty(0, dtype=np.uint64)


def unseen(raw: RawSet, seen: Seen | None, on_seen: Literal["fail", "drop", "keep"]) -> RawSet:
    """`raw` without test and validation rows that the source was trained on, where `on_seen` is "drop".

    A row that is in raw's own training part too is a duplicate of the set, and no concern here. Raises
    UserError where there are such rows and `on_seen` is "fail", and where none would be left.
    """
    if seen is None or on_seen == "keep" or not len(seen.keys):
        return raw
    parts = {"validation": raw.val, "test": raw.test}
    known = np.setdiff1d(seen.keys, keys(raw.train))
    found = {name: np.isin(keys(rows), known) for name, rows in parts.items() if rows is not None}
    found = {name: mask for name, mask in found.items() if mask.any()}
    if not found:
        return raw
    counts = " and ".join(f"{mask.sum():,} of {len(mask):,} {name} rows" for name, mask in found.items())
    if on_seen == "fail":
        raise UserError(
            f"model.init_from: {seen.run} was trained on {counts}: what is measured there would be too good\n"
            "Divide the set as it did (data.split, data.classes, data.limit),"
            " or leave those rows out with data.split.on_seen = 'drop' ('keep' takes them all the same)."
        )
    kept = {name: _without(rows, found.get(name), name) for name, rows in parts.items()}
    said = f"{counts} left out: {seen.run} was trained on them"
    return replace(
        raw,
        val=kept["validation"],
        test=kept["test"],
        warning="; ".join(text for text in (raw.warning, said) if text),
    )


def write(run: Path, trained: Keys, before: Seen | None) -> None:
    """Keep what the weights of `run` have seen: its own rows, and those of the run that it began with.

    Raises OSError.
    """
    every = np.unique(trained if before is None else np.concatenate([trained, before.keys]))
    if len(every):
        replace_file(run / FILE, every.astype("<u8").tobytes())


def read(run: Path) -> Keys:
    """What write() kept; none where it is missing. Raises UserError where it is no such file."""
    try:
        data = read_bytes(run / FILE, LARGEST)
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise UserError(f"{run / FILE}: {error.strerror}") from None
    return np.frombuffer(data[: len(data) // 8 * 8], dtype="<u8").astype(np.uint64)


def _without(rows: Rows | None, seen: NDArray[np.bool_] | None, name: str) -> Rows | None:
    if rows is None or seen is None or isinstance(rows, StreamRows):
        return rows
    if seen.all():
        raise UserError(
            f"model.init_from: its run was trained on all {len(rows):,} {name} rows; none would be left"
        )
    return rows.take(torch.from_numpy(np.flatnonzero(~seen)))


def _of_tensor(inputs: Tensor) -> Keys:
    rows = inputs.reshape(len(inputs), -1).contiguous().view(torch.uint8).numpy()
    words = -(-rows.shape[1] // 8)
    salt = _mixed(np.arange(1, words + 1, dtype=np.uint64))
    return np.concatenate([_mixed(part + salt).sum(1, dtype=np.uint64) for part in _words(rows, words)])


def _words(rows: NDArray[np.uint8], words: int) -> Iterator[Keys]:
    """The rows a bounded number at a time, as whole words."""
    step = max(1, CHUNK // (8 * words))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        padded = np.zeros((len(part), 8 * words), dtype=np.uint8)
        padded[:, : part.shape[1]] = part
        yield padded.view(np.uint64)


def _mixed(x: Keys) -> Keys:
    """splitmix64's finaliser: each bit of the result hangs on each bit of `x`."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _of_file(path: str) -> int:
    real = os.path.realpath(path)
    return _number(os.fsencode(real), str(os.stat(real).st_size).encode())


def _of_dataset(rows: DatasetRows) -> Keys:
    dataset, index = rows.dataset, np.arange(len(rows))
    while isinstance(dataset, Subset):
        index, dataset = np.asarray(dataset.indices)[index], dataset.dataset
    named = f"{type(dataset).__qualname__}{len(dataset)}{rows.input_shape}"  # type: ignore[arg-type]
    whole = _number(named.encode(), *first_samples(dataset))
    return _mixed(index.astype(np.uint64) + np.uint64(whole))


def _number(*pieces: bytes) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for piece in pieces:
        digest.update(piece + b"\0")
    return int.from_bytes(digest.digest(), "little")
