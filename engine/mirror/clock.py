"""When a step was done, in seconds since 1970: its branch began at an event, and rows count training time.
No torch."""

import numpy as np
import numpy.typing as npt

from trainconsole.engine.protocol.events import AnyEvent, Branched, Started
from trainconsole.engine.record.metric_rows import Rows


class Clock:
    """`now` is the time of the newest event."""

    def __init__(self) -> None:
        self.now = 0.0
        self._began: dict[int, float] = {}
        self._offsets: dict[int, float] = {}

    def hear(self, event: AnyEvent) -> None:
        self.now = max(self.now, event.time)
        if isinstance(event, Started | Branched):
            self._began[event.branch] = event.time

    def times(self, rows: Rows) -> npt.NDArray[np.float64]:
        """(n,) of rows of one branch, the first of which is the first of the branch, or comes after it."""
        branch, seconds = int(rows["branch"][0]), rows["time"].astype(np.float64)
        first = float(seconds[0]) if np.isfinite(seconds[0]) else 0.0
        offset = self._offsets.setdefault(branch, self._began.get(branch, self.now) - first)
        return np.asarray(np.nan_to_num(seconds + offset, nan=self.now, posinf=self.now, neginf=self.now))
