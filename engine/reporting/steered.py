"""What is steered at a step boundary, whoever drives the steps: the built-in trainer, or one's own loop."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from trainconsole.engine.checkpoints.schema import Kept, Placed, RunState
from trainconsole.engine.protocol.commands import Command
from trainconsole.engine.protocol.events import Best, Entry, Trouble
from trainconsole.engine.protocol.status import InForce
from trainconsole.engine.record.metric_rows import Rows
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.schedule.rate_plan import Plan

Numbers = tuple[Sequence[int], NDArray[np.float32]]
"""Steps, and a value for each."""


class Progress(NamedTuple):
    """How far a run is, as it is now planned: `steps` and `epochs` in all, 0 where nobody knows; `epoch` from
    1, `epochs_done` with the share of the current one."""

    steps: int
    epoch: int
    epochs: int
    epochs_done: float
    plan: Plan | None = None
    patience_left: int | None = None


class Steered(Protocol):
    """Owned by the training thread. `withheld` is the update that the run does not go on past."""

    step: int
    lineage: list[Entry]
    withheld: Trouble | None
    best: Best | None
    best_state: Kept | None
    device: torch.device

    @property
    def epoch(self) -> int:
        """The epoch of the next update, from 1."""

    @property
    def starts_epoch(self) -> bool:
        """Whether the next update is the first of its epoch."""

    def progress(self) -> Progress: ...

    def in_force(self) -> InForce: ...

    def state_dict(self) -> RunState:
        """All that the rest of the run depends on; tensors are the live ones."""

    def load_state_dict(self, saved: RunState) -> None:
        """What does not fit raises before anything has changed."""

    def origin_state(self) -> RunState:
        """The state at step 0. Raises UserError where there is no way back to it."""

    def keep_best(self, more: Placed, into: Kept | None) -> None:
        """Copy the state as it is now as that of the best epoch; reuses `into`."""

    def recover(self) -> bool:
        """After an exception: stand at the last boundary; False where the state is that of none."""


class Measured(Protocol):
    """An update, until it is read back: `lr` is the rate that it used, `nbytes` what it keeps there."""

    @property
    def number(self) -> int: ...

    @property
    def epoch(self) -> int: ...

    @property
    def lr(self) -> float: ...

    @property
    def withheld(self) -> bool: ...

    @property
    def nbytes(self) -> int: ...


S = TypeVar("S", bound=Measured)
S_contra = TypeVar("S_contra", bound=Measured, contravariant=True)


class Stepped(Steered, Protocol[S_contra]):
    """What is steered, with the updates that it makes."""

    @property
    def on_nonfinite(self) -> str:
        """What a non-finite update does: pause, fail or skip."""

    @property
    def metric_name(self) -> str:
        """What the `metric` of a row is."""

    def rows(self, steps: Sequence[S_contra]) -> Rows:
        """The numbers of `steps` from the device, which is waited for; branch and time are left to others."""

    def count(self, rows: Rows, steps: Sequence[S_contra]) -> None:
        """These steps count for the means of their epoch."""

    def own_numbers(self, steps: Sequence[S_contra]) -> Mapping[str, Numbers]:
        """What else was logged with them, by name. Read back as the rows are."""

    def bad(self, rows: Rows, steps: Sequence[S_contra]) -> Iterable[int]:
        """Which of them, by place, were withheld."""

    def diagnose(self, step: S_contra) -> Trouble: ...

    def return_to(self, step: S_contra) -> None:
        """Go back to the boundary after `step`, which was withheld, as those since were."""

    def apply(self, command: Command) -> Effect:
        """Carry out a command that changes training. Raises Refused."""
