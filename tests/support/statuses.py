"""Statuses made by hand, for dialogs to look at."""

from typing import Any

from support import run_models
from trainconsole.engine.config.knobs import KNOBS
from trainconsole.engine.config.schedules import AnySchedule, Cosine
from trainconsole.engine.protocol.status import InForce, Status
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.rate_plan import Position

EPOCH = 100
EPOCHS = 10
END = Position(EPOCH * EPOCHS, float(EPOCHS))


def status(step: int = 500, schedule: AnySchedule | None = None, lr: float = 1e-3, **in_force: Any) -> Status:
    """A run of ten epochs of a hundred steps, with Adam; by default half-way down a cosine from 1e-3."""
    plan = rate_plan.start(schedule or Cosine(), lr, Position(0, 0.0), END)
    now = rate_plan.rate(plan, Position(step, step / EPOCH))
    return Status(
        pid=1,
        run="run",
        stage="training",
        step=step,
        steps=END.step,
        epoch=step // EPOCH + 1,
        epochs=EPOCHS,
        epochs_done=step / EPOCH,
        plan=plan,
        in_force=InForce.of(IN_FORCE | {"lr": now} | in_force, KNOBS),
    )


STARTING = Status(pid=1, run="run")

IN_FORCE = run_models.IN_FORCE | {"optimizer": "adam", "epochs": EPOCHS, "steps": END.step}
