"""Steps whose numbers are still on the device, read back and turned into rows a block at a time."""

import numpy as np
import torch

from trainconsole.engine.history import ROW, Rows
from trainconsole.engine.trainer import Step

LIMIT = 4096
"""Steps a block holds at most: each keeps three small tensors on the device."""


class Block:
    """Steps since the last read-back, in order, with the second of training at which each ended."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._seconds: list[float] = []

    def __len__(self) -> int:
        return len(self.steps)

    def add(self, step: Step, seconds: float) -> None:
        self.steps.append(step)
        self._seconds.append(seconds)

    @property
    def full(self) -> bool:
        return len(self.steps) >= LIMIT

    def rows(self, branch: int) -> Rows:
        """The steps as rows (dtype ROW); one transfer from the device, which waits for it."""
        steps = self.steps
        columns = [[s.loss for s in steps], [s.metric for s in steps], [s.grad_norm for s in steps]]
        values = torch.stack([torch.stack([t.float() for t in column]) for column in columns]).cpu().numpy()
        rows = np.empty(len(steps), dtype=ROW)
        rows["step"] = [step.number for step in steps]
        rows["epoch"] = [step.epoch for step in steps]
        rows["lr"] = [step.lr for step in steps]
        rows["branch"] = branch
        rows["time"] = self._seconds
        rows["loss"], rows["metric"], rows["grad_norm"] = values
        return rows

    def clear(self) -> None:
        self.steps = []
        self._seconds = []
