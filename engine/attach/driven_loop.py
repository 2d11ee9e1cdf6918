"""A loop that a library drives: where it stands is counted in the library's updates and epochs."""

from trainconsole.engine.attach.driver import Driver
from trainconsole.engine.own_loop.registered import Registered
from trainconsole.engine.own_loop.steered_loop import SteeredLoop
from trainconsole.engine.protocol.commands import Command
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.schedule.rate_plan import Position


class DrivenLoop(SteeredLoop):
    """`steps` are the updates in all, `pace` the epochs that one takes; 0 where nobody knows.

    Its boundary comes after an update, so that after the last one of an epoch the next is what begins.
    """

    def __init__(self, registered: Registered, driver: Driver, *, grad_norm: bool = False) -> None:
        super().__init__(registered, grad_norm=grad_norm)
        self.driver = driver
        self.steps = 0
        self.pace = 0.0

    @property
    def ends_epoch(self) -> bool:
        return bool(self.batches) and self.consumed >= (self.batches or 0)

    @property
    def epoch(self) -> int:
        return self.epochs_done + 1 + self.ends_epoch

    @property
    def starts_epoch(self) -> bool:
        return self.consumed == 0 or self.ends_epoch

    @property
    def end(self) -> Position | None:
        if not self.steps:
            return None
        left = max(self.steps - self.step, 0)
        return Position(max(self.steps, self.step), self.position.epochs + left * self.pace)

    def apply(self, command: Command) -> Effect:
        self.driver.refuse(command)
        return super().apply(command)
