"""Arrays as a user has them, made into tensors: whatever their strides, byte order and container."""

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainconsole.engine.common.errors import UserError

Values = Tensor | NDArray[np.str_]
"""Numbers, or labels that are strings, (N,)."""


def is_array(value: Any) -> bool:
    """A tensor, an array, or what makes itself one, as a DataFrame does."""
    return isinstance(value, Tensor | np.ndarray) or hasattr(type(value), "__array__")


def numbers(values: Any, what: str) -> Tensor:
    """`values` as a real tensor on the CPU. Raises UserError, `what` says what they are."""
    if isinstance(values, Tensor):
        found = values.detach().cpu()
    else:
        array = native(np.asanyarray(values), what)
        try:
            with warnings.catch_warnings():
                # Nothing here writes into it, and a copy of a mapped file may not fit into memory.
                warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
                found = torch.as_tensor(array)
        except (TypeError, ValueError, RuntimeError):
            raise UserError(f"{what} have dtype {array.dtype}, not numbers{_culprit(array)}") from None
    if found.is_complex():
        raise UserError(f"{what} are complex ({found.dtype}); real numbers are needed")
    return found.to_dense() if found.layout != torch.strided else found


def labels(values: Any, what: str) -> Values:
    """As numbers(), but strings stay strings."""
    if isinstance(values, Tensor):
        return numbers(values, what)
    array = np.asanyarray(values)
    strings = array.dtype.kind == "O" and array.size and all(isinstance(one, str) for one in array.flat)
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8", "replace")
    return array.astype(np.str_) if strings or array.dtype.kind == "U" else numbers(array, what)


def native(array: NDArray[Any], what: str = "an array") -> NDArray[Any]:
    """`array` as torch takes it: copied where it is reversed or of another byte order.

    Raises UserError for an array with masked values, which would be taken for numbers.
    """
    if isinstance(array, np.ma.MaskedArray):
        hidden = int(np.ma.getmaskarray(array).sum())
        if hidden:
            raise UserError(
                f"{what} are a masked array with {hidden:,} masked values\n"
                "Drop those rows, or fill them: x.filled(0.0)."
            )
        array = array.data
    array = np.asarray(array)
    plain = array.astype(array.dtype.newbyteorder("="), copy=False)
    return plain if all(step >= 0 for step in plain.strides) else plain.copy()


def _culprit(array: NDArray[Any]) -> str:
    for one in array.flat if array.dtype.kind == "O" else ():
        if not isinstance(one, int | float | np.number):
            return f": one is a {type(one).__name__}"
    return ""
