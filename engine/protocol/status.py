"""The status: where a run stands, as its host pushes it. No torch."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from msgspec import Struct, field

from trainconsole.engine.schedule.rate_plan import Plan

VERSION = 2
RATE = "lr "
"""Before the name of one of several optimizers: what an acknowledgement calls its rate."""
Stage = Literal["starting", "loading torch", "loading data", "training", "evaluating", "paused", "finished"]


class InForce(Struct, frozen=True, kw_only=True):
    """What commands can change, as it is now: schedule in the grammar; hyper-parameters by torch's names, as
    the optimizer has them, rate and weight decay apart; knobs by name, None where one is off. Where `lr` is
    None nothing is known yet. `rates` are those of several optimizers by name; `lr` is that of the first."""

    optimizer: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    lr: float | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    schedule: str = ""
    epochs: int = 0
    batch_size: int = 0
    steps: int = 0
    knobs: Mapping[str, float | str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any], knobs: Collection[str]) -> "InForce":
        """From `values` by the names that an acknowledgement has, those in `knobs` are knobs."""
        rest = dict(values)
        rates = {name[len(RATE) :]: rest.pop(name) for name in values if name.startswith(RATE)}
        own = {name: rest.pop(name) for name in values if name in cls.__struct_fields__}
        set_ = {name: rest.pop(name) for name in knobs if name in rest}
        return cls(**own, parameters=rest, knobs=set_, rates=rates)

    def values(self) -> dict[str, Any]:
        """All of it by the names that an acknowledgement has."""
        length = {"epochs": self.epochs, "batch_size": self.batch_size, "steps": self.steps}
        first = {"optimizer": self.optimizer, **self.parameters, "lr": self.lr, "schedule": self.schedule}
        rates = {f"{RATE}{name}": rate for name, rate in self.rates.items()}
        return {**first, **rates, **length, **self.knobs}


class Status(Struct, frozen=True, kw_only=True):
    """Where a run stands: all that a console needs besides the run directory. Times in seconds.

    `plan` is all that the learning rate depends on, `epochs_done` counts the share of the current one.
    `refused` says why this connection is not kept, "" where it is.
    """

    version: int = VERSION
    pid: int
    run: str
    stage: Stage = "starting"
    step: int = 0
    steps: int = 0
    epoch: int = 0
    epochs: int = 0
    epochs_done: float = 0.0
    branch: int = 0
    steps_per_second: float = 0.0
    time_left: float | None = None
    in_force: InForce = field(default_factory=InForce)
    plan: Plan | None = None
    patience_left: int | None = None
    undo_depth: int = 0
    last_seq: int = -1
    rows: int = 0
    loss: float | None = None
    metric: float | None = None
    metric_name: str = ""
    error: str = ""
    refused: str = ""
