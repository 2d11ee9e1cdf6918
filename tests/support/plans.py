"""Plans of a learning rate, in runs of ten steps an epoch."""

from trainconsole.engine.config.schedules import AnySchedule
from trainconsole.engine.schedule.rate_plan import Plan, Position, start

BASE = 0.04
PER_EPOCH = 10


def at(step: int) -> Position:
    return Position(step, step / PER_EPOCH)


def begin(schedule: AnySchedule, steps: int = 200) -> Plan:
    return start(schedule, BASE, at(0), at(steps))
