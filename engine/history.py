"""Metric history as arrays: the row of metrics.bin. No torch."""

import numpy as np
import numpy.typing as npt

ROW = np.dtype(
    [
        ("step", "<u8"),
        ("branch", "<u4"),
        ("epoch", "<u4"),
        ("time", "<f8"),
        ("loss", "<f4"),
        ("metric", "<f4"),
        ("lr", "<f4"),
        ("grad_norm", "<f4"),
    ]
)
"""One update, 40 bytes: its number, seconds of training so far, the rate it used; NaN where not measured."""

Rows = npt.NDArray[np.void]


def described() -> list[list[str]]:
    """The dtype as [[name, code], ...] for meta.json, so that a file can be read without this package."""
    return [[name, ROW[name].str] for name in ROW.names or ()]
