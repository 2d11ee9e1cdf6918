"""What a script logs, kept as it is until it is read back: no `.item()`, no synchronisation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.record.metric_rows import ROW, Rows

Number = Tensor | float
NAN = float("nan")
METRIC = "accuracy"
"""What is drawn as the metric of a batch, where a script logs it."""


class Update(NamedTuple):
    """One update of a script's loop; `logged` is what was logged since the one before, by name."""

    number: int
    epoch: int
    rate: Number
    logged: dict[str, list[Number]]
    grad_norm: Number | None

    @property
    def lr(self) -> float:
        return float(self.rate)

    @property
    def withheld(self) -> bool:
        """Never: the script has made it."""
        return False

    @property
    def nbytes(self) -> int:
        return 1024 * (1 + len(self.logged))


def checked(name: str, value: object) -> Number:
    """A number as it is kept: a tensor without the graph behind it. Raises UserError."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise UserError(f"run.log({name}=...): one number is wanted, this has shape {tuple(value.shape)}")
        return value.detach()
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UserError(f"run.log({name}=...): a number is wanted, not a {type(value).__name__}") from None


def rows(updates: Sequence[Update]) -> Rows:
    """Loss and metric where they were logged, each the mean of what was logged for the update; NaN where it
    was not. The device is waited for."""
    found = np.empty(len(updates), dtype=ROW)
    found["loss"] = means(updates, "loss")
    found["metric"] = means(updates, METRIC)
    found["grad_norm"] = read([NAN if update.grad_norm is None else update.grad_norm for update in updates])
    found["step"] = [update.number for update in updates]
    found["epoch"] = [update.epoch for update in updates]
    found["lr"] = read([update.rate for update in updates])
    return found


def own(updates: Sequence[Update]) -> dict[str, tuple[list[int], NDArray[np.float32]]]:
    """(steps, values) of each other name that was logged."""
    names = dict.fromkeys(name for update in updates for name in update.logged)
    found = {}
    for name in names:
        if name not in ("loss", METRIC):
            having = [update for update in updates if name in update.logged]
            found[name] = [update.number for update in having], means(having, name)
    return found


def means(updates: Sequence[Update], name: str) -> NDArray[np.float32]:
    """Of what was logged as `name` for each update, NaN where nothing was."""
    lists = [update.logged.get(name, ()) for update in updates]
    sizes = [*map(len, lists)]
    flat = read([value for values in lists for value in values])
    if not len(flat):
        return np.full(len(updates), np.nan, np.float32)
    if len(flat) == len(updates) and min(sizes) == 1:
        return flat
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return np.array([part.mean(dtype=np.float64) if len(part) else np.nan for part in parts], np.float32)


def read(numbers: Sequence[Number]) -> NDArray[np.float32]:
    """float32; those on a device come in one transfer."""
    tensors = [value for value in numbers if isinstance(value, Tensor)]
    if not tensors:
        return np.array(numbers, np.float32)
    found = _transferred(tensors)
    if len(found) == len(numbers):
        return found
    result = np.empty(len(numbers), np.float32)
    of_a_tensor = np.array([isinstance(value, Tensor) for value in numbers])
    result[of_a_tensor] = found
    result[~of_a_tensor] = [value for value in numbers if not isinstance(value, Tensor)]
    return result


def _transferred(tensors: Sequence[Tensor]) -> NDArray[np.float32]:
    if len({(tensor.dtype, tensor.device, tensor.dim()) for tensor in tensors}) > 1:
        tensors = [tensor.reshape(()).float().cpu() for tensor in tensors]
    found: NDArray[np.float32] = torch.stack([*tensors]).flatten().float().cpu().numpy()
    return found
