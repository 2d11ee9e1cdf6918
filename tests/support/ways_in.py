"""The ways in which a user's own data function may give its data, and what comes of it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from trainconsole.engine.config.data import ImportedData
from trainconsole.engine.data.load import Data, load

N = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4)).astype("float32")
Y = (np.arange(N) % 3).astype("int64")
DIGITS = ("0", "1", "2")
PARTS = ("train", "val", "test")


class Listed(Dataset[tuple[Any, Any]]):
    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        y = self.y[i]
        return self.x[i], str(y) if isinstance(y, np.str_) else y


class Stated(Listed):
    @property
    def targets(self) -> Any:
        return self.y


class Flow(IterableDataset[tuple[Any, Any]]):
    def __init__(self, x: Any, y: Any) -> None:
        self.rows = Listed(x, y)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return (self.rows[i] for i in range(len(self.rows)))


def tensor(values: Any) -> Any:
    return (
        torch.as_tensor(values)
        if isinstance(values, np.ndarray) and values.dtype.kind not in "US"
        else values
    )


def arrays(x: Any, y: Any) -> Any:
    return x, y


def tensors(x: Any, y: Any) -> Any:
    return tensor(x), tensor(y)


def tensor_dataset(x: Any, y: Any) -> Any:
    return TensorDataset(tensor(x), tensor(y)) if isinstance(tensor(y), torch.Tensor) else (x, y)


def dataset_of_arrays(x: Any, y: Any) -> Any:
    return Listed(x, y)


def dataset_of_tensors(x: Any, y: Any) -> Any:
    return Listed(tensor(x), tensor(y))


def dataset_that_states_its_targets(x: Any, y: Any) -> Any:
    return Stated(tensor(x), y)


def subset(x: Any, y: Any) -> Any:
    back = np.arange(len(x))[::-1].copy()
    return Subset(Listed(x[back], y[back]), back.tolist())


def stream(x: Any, y: Any) -> Any:
    return Flow(tensor(x), tensor(y))


Way = Callable[[Any, Any], Any]
MAPS: tuple[Way, ...] = (
    arrays,
    tensors,
    tensor_dataset,
    dataset_of_arrays,
    dataset_of_tensors,
    dataset_that_states_its_targets,
    subset,
)
WAYS: tuple[Way, ...] = (*MAPS, stream)


def given(way: Way, x: Any, y: Any, names: list[str] | None = None, **options: Any) -> Data:
    """The data of a function that returns, for each part, (x, y) by a way in, which says the `names`."""
    parts = {name: way(x, y) for name in PARTS}
    for part in parts.values():
        if names is not None and isinstance(part, Dataset):
            vars(part)["classes"] = names
    module = sys.modules[__name__]
    vars(module)["load_parts"] = lambda: parts
    config = ImportedData(target=f"{__name__}:load_parts", **options)
    return load(config, 0, Path("unused"), torch.device("cpu"))


def whole(data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    order = torch.arange(data.train.size)
    batches = [*data.train.batches(order, 0, 7)]
    return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
