"""The status: where a run stands, as its host pushes it. No torch."""

from typing import Any, Literal

from msgspec import Struct, field

from trainconsole.engine.schedule.rate_plan import Plan

VERSION = 1
Stage = Literal["starting", "loading torch", "loading data", "training", "evaluating", "paused", "finished"]


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
    in_force: dict[str, Any] = field(default_factory=dict)
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
