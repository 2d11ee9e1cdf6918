"""MNIST and its like (IDX files) and CIFAR-10 (binary version), from disk or fetched."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.datasets import CIFAR10
from torchvision.datasets import utils as torchvision_utils
from torchvision.datasets.mnist import read_image_file, read_label_file

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data.raw import TensorRows
from trainconsole.engine.data.sets.downloads import fetch

RECORD = 1 + 3 * 32 * 32
CIFAR_BINARY = "cifar-10-batches-bin"
CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
TRAIN_FILES = [f"data_batch_{number}.bin" for number in range(1, 6)]
WHAT_TO_DO = "Delete it to have it fetched again, or give another directory with --data-dir."

Part = TensorRows | None


def idx_parts(dataset: Any, folder: str, data_dir: Path) -> tuple[Part, Part, str]:
    """Train and test part of a torchvision class of MNIST's family, and why missing ones were not fetched.

    They lie in data_dir/<class>/raw, or in data_dir/<folder>/<class>/raw. A part is uint8 (N, 1, H, W) and
    int64 (N,), or None. Raises UserError for files that cannot be read or are not whole.
    """
    root = _root(data_dir, folder, dataset.__name__)
    raw = root / dataset.__name__ / "raw"
    parts = {prefix: _idx_rows(raw, prefix) for prefix in ("train", "t10k")}
    missing = [prefix for prefix, part in parts.items() if part is None]
    why = ""
    if missing:
        names = [f"{dataset.__name__}/raw/{name}" for prefix in missing for name in _idx_names(prefix)]
        why = fetch(root, partial(dataset, train=True, download=True), names)
    if missing and not why:
        parts |= {prefix: _idx_rows(raw, prefix) for prefix in missing}
    return parts["train"], parts["t10k"], why


def cifar10_parts(data_dir: Path) -> tuple[TensorRows, TensorRows]:
    """Train and test part: uint8 (N, 3, 32, 32) and int64 (N,).

    The binary version, from data_dir or data_dir/cifar10; torchvision's python version where only that is
    there. Raises UserError where there is neither and it cannot be fetched, or a file is not whole.
    """
    python = _root(data_dir, "cifar10", CIFAR10.base_folder)
    root = _root(data_dir, "cifar10", CIFAR_BINARY)
    if not _exists(root / CIFAR_BINARY) and _exists(python / CIFAR10.base_folder):
        return _cifar_python(python, True), _cifar_python(python, False)
    if not _exists(root / CIFAR_BINARY):
        why = fetch(root, _download_cifar, [CIFAR_BINARY])
        if why:
            raise UserError(
                f"CIFAR-10: not in {data_dir}, and could not be fetched: {why}\n"
                f"With a network try again, or put {CIFAR_BINARY}/ there (--data-dir DIR)."
            )
    return _cifar_rows(root, TRAIN_FILES), _cifar_rows(root, ["test_batch.bin"])


def _root(data_dir: Path, folder: str, inside: str) -> Path:
    nested = data_dir / folder
    return nested if _exists(nested / inside) and not _exists(data_dir / inside) else data_dir


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise _unreadable(path, error) from None


def _idx_names(prefix: str) -> tuple[str, str]:
    return f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"


def _idx_rows(raw: Path, prefix: str) -> Part:
    images, labels = (raw / name for name in _idx_names(prefix))
    if not (_exists(images) and _exists(labels)):
        return None
    inputs, targets = _idx(images, read_image_file), _idx(labels, read_label_file)
    if not len(inputs) or len(inputs) != len(targets):
        raise UserError(
            f"{images}: {len(inputs)} images, but {len(targets)} labels in {labels.name}\n{WHAT_TO_DO}"
        )
    if targets.max() > 9:
        raise UserError(f"{labels}: a label of {int(targets.max())}, they go from 0 to 9\n{WHAT_TO_DO}")
    return TensorRows(inputs.unsqueeze(1), targets)


def _idx(path: Path, read: Callable[[str], Tensor]) -> Tensor:
    try:
        return read(os.fspath(path))
    except OSError as error:
        raise _unreadable(path, error) from None
    except (AssertionError, RuntimeError, ValueError, TypeError, KeyError):
        raise UserError(f"{path}: cut short, or not an IDX file of the right kind\n{WHAT_TO_DO}") from None


def _download_cifar(directory: Path) -> None:
    torchvision_utils.download_and_extract_archive(CIFAR_URL, os.fspath(directory), md5=CIFAR_MD5)


def _cifar_rows(root: Path, names: list[str]) -> TensorRows:
    records = torch.cat([_cifar_records(root / CIFAR_BINARY / name) for name in names])
    return TensorRows(records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].long())


def _cifar_records(path: Path) -> Tensor:
    try:
        numbers = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise _unreadable(path, error) from None
    if not len(numbers) or len(numbers) % RECORD:
        raise UserError(
            f"{path}: {len(numbers):,} bytes, not a multiple of {RECORD}: cut short?\n{WHAT_TO_DO}"
        )
    records = torch.from_numpy(numbers).view(-1, RECORD)
    if records[:, 0].max() > 9:
        raise UserError(f"{path}: a label of {int(records[:, 0].max())}, they go from 0 to 9\n{WHAT_TO_DO}")
    return records


def _cifar_python(root: Path, train: bool) -> TensorRows:
    try:
        part = CIFAR10(os.fspath(root), train=train, download=False)
    except OSError as error:
        raise _unreadable(root / CIFAR10.base_folder, error) from None
    except RuntimeError:
        raise UserError(
            f"{root / CIFAR10.base_folder}: incomplete or altered (checksums)\n{WHAT_TO_DO}"
        ) from None
    return TensorRows(torch.from_numpy(part.data).permute(0, 3, 1, 2), torch.tensor(part.targets))


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be read: {error.strerror or error}\n{WHAT_TO_DO}")
