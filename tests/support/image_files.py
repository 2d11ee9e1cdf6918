"""Tiny image data sets in the real file formats, written where torchvision looks for them."""

from pathlib import Path

import numpy as np


def write_idx(path: Path, values: np.ndarray) -> None:
    """The IDX format: 0, 0, 8 (bytes), number of dimensions, sizes big-endian, values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes())


def write_mnist(root: Path, name: str = "MNIST", train: int = 200, test: int = 20) -> Path:
    """Noise of 28x28, labels 0 to 9 in turn; `name` FashionMNIST has the same format."""
    raw = root / name / "raw"
    rng = np.random.default_rng(0)
    for prefix, size in (("train", train), ("t10k", test)):
        write_idx(raw / f"{prefix}-images-idx3-ubyte", rng.integers(0, 256, (size, 28, 28)))
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", np.arange(size) % 10)
    return raw


def write_cifar(root: Path, size: int = 8) -> Path:
    """The binary version: in each of six files `size` records of a label and 3x32x32 bytes of noise."""
    folder = root / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        records = rng.integers(0, 256, (size, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(size) % 10
        records.tofile(folder / name)
    return folder
