"""The learning rate at the step that a status tells of, and at those to come. No torch, no Textual."""

from collections.abc import Iterable

from trainconsole.engine.protocol.status import Status
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.rate_plan import Plan, Position


def here(status: Status) -> Position:
    return Position(status.step, status.epochs_done)


def now(status: Status) -> float:
    """The rate of the next update, by the plan in force; what was last read back where there is none."""
    if status.plan is None:
        return status.in_force.lr or 0.0
    return rate_plan.rate(status.plan, here(status))


def along(status: Status, plan: Plan, steps: Iterable[int]) -> tuple[float, ...]:
    """The rates under `plan` at `steps` to come; epochs go on evenly with the steps."""
    rest, left = status.epochs - status.epochs_done, status.steps - status.step
    positions = (Position(s, status.epochs_done + rest * (s - status.step) / left) for s in steps)
    return tuple(rate_plan.rate(plan, position) for position in positions)
