"""A loop that a library drives: where it stands is counted in the library's updates and epochs."""

from collections.abc import Mapping
from typing import Any

from trainconsole.engine.attach.driver import Driver
from trainconsole.engine.attach.together import Together
from trainconsole.engine.own_loop.registered import Registered
from trainconsole.engine.own_loop.steered_loop import SteeredLoop
from trainconsole.engine.protocol.commands import Command, Evaluate, SaveCheckpoint
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.schedule.rate_plan import Position


class DrivenLoop(SteeredLoop):
    """`steps` are the updates in all, `pace` the epochs that one takes; 0 where nobody knows.

    Its boundary comes after an update, so that after the last one of an epoch the next is what begins.
    """

    def __init__(
        self, registered: Registered, driver: Driver, together: Together, *, grad_norm: bool = False
    ) -> None:
        super().__init__(registered, grad_norm=grad_norm)
        self.driver = driver
        self.together = together
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
        effect = super().apply(command)
        if not self.together.alone:
            self.together.say(command)
        return effect

    def save(self, name: str) -> str:
        """A checkpoint of the library's, now or when all processes have heard of it; its path. Raises
        Refused."""
        path = self.driver.path(name)
        if self.together.alone:
            self.driver.save(name)
        else:
            self.together.say(SaveCheckpoint(name=name))
        return path

    def ask(self) -> Mapping[str, Any] | None:
        """Measure, now or when all processes have heard of it. Raises UserError."""
        if self.together.alone:
            return self.driver.ask()
        self.together.say(Evaluate())
        return None
