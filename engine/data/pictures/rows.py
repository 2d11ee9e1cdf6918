"""Pictures from a folder as rows: read once in full, held as tensors, or read again by threads as they are
wanted. Threads, because Pillow leaves the others alone while it decodes: nothing goes through /dev/shm."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Self

import torch
from torch import Tensor

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data.loading.collate import Batch
from trainconsole.engine.data.pictures import decoding
from trainconsole.engine.data.pictures.decoding import Picture, Unreadable
from trainconsole.engine.data.pictures.tree import as_text
from trainconsole.engine.data.scaling import Scaling

MOST_WORKERS = 4
AHEAD = 4
"""Pictures that each thread may be ahead, at least; two batches where that is more."""

Divisors = Mapping[str, float]
"""By the kind of its numbers: what a picture is divided by to lie in [0, 1]."""


@dataclass(frozen=True)
class PictureRows:
    """Files that are read as they are wanted, each float32 (3, size, size) in [0, 1]; `labels` int64 (N,)."""

    paths: tuple[str, ...]
    labels: Tensor
    size: int
    divisors: Divisors
    workers: int

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return 3, self.size, self.size

    @property
    def kind(self) -> str:
        return "classes"

    @property
    def outputs(self) -> int:
        return 1

    def take(self, indices: Tensor) -> Self:
        """The rows at `indices`, int64 (n,)."""
        paths = tuple(self.paths[index] for index in indices.tolist())
        return replace(self, paths=paths, labels=self.labels[indices])

    def numbers(self) -> None:
        """Pictures are called by where they come in their part."""

    def contents(self) -> Iterator[bytes | memoryview]:
        """What can be known without reading it all: names, sizes of the files, labels."""
        yield f"pictures {self.size} {sorted(self.divisors.items())}".encode()
        for path in self.paths:
            yield os.fsencode(os.path.basename(path)) + f"\0{os.stat(path).st_size}\0".encode()
        yield self.labels.numpy().data


@dataclass(frozen=True)
class PictureSource:
    """See sources.Source."""

    rows: PictureRows
    device: torch.device
    scaling: Scaling

    @property
    def size(self) -> int:
        return len(self.rows)

    def batches(self, order: Tensor, start: int, batch_size: int) -> Iterator[Batch]:
        """See sources.Source. Raises UserError where a picture can no longer be read."""
        rows, left = self.rows, order[start:]
        reading = _ahead(rows, left.tolist(), batch_size)
        for chosen in torch.split(left, batch_size) if len(left) else ():
            tensors = [as_tensor(picture, rows.divisors) for picture in islice(reading, len(chosen))]
            yield self._inputs(tensors), rows.labels[chosen].to(self.device, non_blocking=True)

    def _inputs(self, tensors: list[Tensor]) -> Tensor:
        """Held by nobody else: a batch of large pictures is not there twice while the next is made."""
        if any(tensor.is_floating_point() for tensor in tensors):
            tensors = [unit(tensor) for tensor in tensors]
        return self.scaling.apply(unit(torch.stack(tensors).to(self.device, non_blocking=True)))


def as_tensor(picture: Picture, divisors: Divisors) -> Tensor:
    """uint8 as it was, else float32 in [0, 1]: (3, size, size)."""
    tensor = torch.from_numpy(picture.pixels)
    return tensor if picture.kind == decoding.BYTES else tensor / divisors[picture.kind]


def unit(tensor: Tensor) -> Tensor:
    """Bytes as float32 in [0, 1]; what is floating-point stays."""
    return tensor if tensor.is_floating_point() else tensor.float().div_(255)


def in_threads(
    paths: Iterable[str], size: int, workers: int, ahead: int = 0
) -> Iterator[Picture | Unreadable]:
    """What is at each path, in their order, up to `ahead` or more read beforehand; 0 workers: none."""
    if not workers:
        yield from (_tried(path, size) for path in paths)
        return
    waiting: deque[Future[Picture | Unreadable]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pictures")
    try:
        for path in paths:
            waiting.append(pool.submit(_tried, path, size))
            if len(waiting) > max(ahead, AHEAD * workers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def default_workers() -> int:
    return min(MOST_WORKERS, os.cpu_count() or 1)


def _tried(path: str, size: int) -> Picture | Unreadable:
    try:
        return decoding.read(path, size)
    except Unreadable as error:
        return error


def _ahead(rows: PictureRows, indices: list[int], batch_size: int) -> Iterator[Picture]:
    paths = [rows.paths[index] for index in indices]
    found = in_threads(paths, rows.size, rows.workers, 2 * batch_size)
    for path, picture in zip(paths, found, strict=True):
        if isinstance(picture, Unreadable):
            raise UserError(
                f"data: {as_text(path)} could be read when the run began, and no longer: {picture}"
            )
        yield picture
