"""Scaling of inputs and targets, fitted on the training split only, by scikit-learn's scalers."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import Tensor

from trainconsole.engine.common.errors import UserError

CHUNK = 8192

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue in ImageNet, as torchvision's pretrained models expect them taken out."""


@dataclass(frozen=True)
class Scaling:
    """scaled = (x - offset) * factor, for each feature, or each channel of images (4 dimensions or more).

    `kind` is none, standard, minmax ([0, 1]), minmax_signed ([-1, 1]) or imagenet; none has no numbers.
    """

    kind: str = "none"
    offset: tuple[float, ...] = ()
    factor: tuple[float, ...] = ()

    def apply(self, x: Tensor) -> Tensor:
        """`x` (N, ...) scaled, as float32; computed in float64 where `x` is."""
        if self.kind == "none":
            return x.float()
        offset, factor = self._numbers(x)
        return (x - offset).mul_(factor).float()

    def invert(self, x: Tensor) -> Tensor:
        """What apply() would have made `x` from."""
        if self.kind == "none":
            return x
        offset, factor = self._numbers(x)
        return x / factor + offset

    def _numbers(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shape = [1] * x.ndim
        shape[feature_axis(x)] = -1
        offset, factor = (torch.tensor(v, dtype=x.dtype, device=x.device) for v in (self.offset, self.factor))
        return offset.view(shape), factor.view(shape)


def feature_axis(x: Tensor) -> int:
    """1, the channels, for images (N, C, H, W) and beyond; else the last."""
    return 1 if x.ndim >= 4 else x.ndim - 1


def unit_images(x: Tensor) -> Tensor:
    """Images of bytes (uint8, 4 dimensions) in [0, 1] as torchvision's ToTensor makes them; else `x`."""
    return x.float().div_(255) if x.dtype == torch.uint8 and x.ndim == 4 else x


def imagenet(input_shape: tuple[int, ...]) -> Scaling:
    """(x - MEAN) / DEVIATION for images in colour, in [0, 1]. Raises UserError for any other data."""
    if len(input_shape) != 3 or input_shape[0] != 3:
        raise UserError(
            f"data.scaling = 'imagenet': it is for images of 3 channels, rows here are {input_shape}\n"
            "Use 'standard'."
        )
    return Scaling("imagenet", MEAN, tuple(1 / deviation for deviation in DEVIATION))


def fit(kind: str, inputs: Tensor) -> Scaling:
    """The scaling of `kind` for `inputs` (N, ...); bytes of images are taken as numbers in [0, 1]."""
    return fit_chunks(kind, (unit_images(chunk) for chunk in torch.split(inputs, CHUNK)))


def fit_chunks(kind: str, chunks: Iterable[Tensor]) -> Scaling:
    """As fit(), for data that comes in parts. Non-finite values do not count; a constant keeps factor 1."""
    if kind == "none":
        return Scaling()
    scaler = StandardScaler() if kind == "standard" else MinMaxScaler()
    with np.errstate(invalid="ignore"):
        for chunk in chunks:
            scaler.partial_fit(_table(chunk))
    if kind == "standard":
        return _scaling(kind, scaler.mean_, 1 / scaler.scale_)
    low, width = scaler.data_min_, scaler.data_range_
    width = np.where(width == 0, 1.0, width)
    if kind == "minmax":
        return _scaling(kind, low, 1 / width)
    return _scaling(kind, (low + scaler.data_max_) / 2, 2 / width)


def _table(x: Tensor) -> NDArray[np.float64]:
    columns = x.movedim(feature_axis(x), -1).reshape(-1, x.shape[feature_axis(x)])
    numbers: NDArray[np.float64] = columns.cpu().double().numpy()
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _scaling(kind: str, offset: NDArray[np.float64], factor: NDArray[np.float64]) -> Scaling:
    known = np.isfinite(offset) & np.isfinite(factor)
    return Scaling(
        kind, tuple(np.where(known, offset, 0.0).tolist()), tuple(np.where(known, factor, 1.0).tolist())
    )
