"""Own numbers of the curve in force, a part at a time. No torch."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.record.metric_rows import Rows
from trainconsole.engine.record.scalars import SCALAR, ScalarFile
from trainconsole.engine.runs.branches import Spans, among


def records_in_force(run: Path, file: str, parts: Spans) -> Iterator[Rows]:
    """Of one own number; what is no file has none."""
    try:
        for records in ScalarFile(run, file).all():
            yield records[among(records, parts, at_fork=True)]
    except UserError:
        return


class OwnColumn:
    """One own number beside rows: asked for ascending steps, part by part, it reads as far as these."""

    def __init__(self, run: Path, file: str, parts: Spans) -> None:
        self._rest = records_in_force(run, file, parts)
        self._held = np.zeros(0, SCALAR)
        self._ended = False

    def at(self, steps: npt.NDArray[np.uint64]) -> npt.NDArray[np.float32]:
        """(n,) the last value of each of (n,) steps, NaN where it has none."""
        while len(steps) and not self._ended and not (self._held["step"] > steps[-1]).any():
            more = next(self._rest, None)
            self._ended = more is None
            self._held = self._held if more is None else np.concatenate([self._held, more])
        found = np.full(len(steps), np.nan, np.float32)
        if len(steps) and len(self._held):
            # What was logged twice is the later one: a stable order has it last.
            held = self._held[np.argsort(self._held["step"], kind="stable")]
            at = np.searchsorted(held["step"], steps, side="right") - 1
            known = (at >= 0) & (held["step"][at] == steps)
            found[known] = held["value"][at[known]]
            self._held = held[held["step"] > steps[-1]]
        return found
