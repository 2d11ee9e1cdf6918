"""What an adapter calls: a run whose loop is a library's, which says where it is."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainconsole.engine.attach.attach import opened
from trainconsole.engine.attach.carried import Carried
from trainconsole.engine.attach.driven_loop import DrivenLoop
from trainconsole.engine.attach.driver import Driver
from trainconsole.engine.attach.session import Session
from trainconsole.engine.attach.together import Together
from trainconsole.engine.common.environment import is_off
from trainconsole.engine.own_loop import commands as own_loop
from trainconsole.engine.own_loop.numbers import Number, checked
from trainconsole.engine.own_loop.registered import Registered
from trainconsole.engine.protocol import commands
from trainconsole.engine.protocol.commands import Command


def drive(
    driver: Driver,
    *,
    name: str = "",
    runs_dir: str | os.PathLike[str] = "runs",
    grad_norm: bool = False,
    **objects: Any,
) -> "Driven | None":
    """The run of a loop that `driver` owns, called by each of the processes that train together; None with
    TRAINCONSOLE=off. Raises UserError."""
    if is_off():
        return None
    loop = DrivenLoop(Registered(objects), driver, Together(), grad_norm=grad_norm)
    return Driven(opened(loop, name, Path(runs_dir), None) if loop.together.leads else None, loop)


class Driven:
    """Used by the thread that trains: `plan`, `begin`, then `batch_done` after each, `end_epoch`, and `over`.

    `session` is None in those processes that only do what the first one does.
    """

    def __init__(self, session: Session | None, loop: DrivenLoop) -> None:
        self.loop = loop
        self._session = session
        self._logged: dict[str, list[Number]] = {}
        self._carried = Carried(loop.settings)
        self._seen = 0

    def plan(self, *, steps: float, epochs: float, batches: float, a_step: float = 1.0) -> None:
        """How long it is: updates in all, epochs in all, batches an epoch; what is not a finite number above
        0 is not known. An update takes `a_step` batches."""
        loop = self.loop
        loop.steps, loop.epochs, loop.batches = _count(steps) or 0, _count(epochs), _count(batches)
        loop.pace = a_step / loop.batches if loop.batches else 0.0

    def begin(self, *, at: int, epochs_done: int, consumed: int) -> None:
        """Before the first update of this process, after `at` that others have made. The first boundary."""
        loop = self.loop
        loop.step, loop.epochs_done, loop.consumed = at, epochs_done, consumed
        carried = self._carried.bring_back()
        if carried:
            loop.settings.plan_next(loop.position)
        if self._session is not None:
            why = f"what was set before the checkpoint of {loop.driver.name} is in force again"
            self._session.warn(why if carried else "")
            self._session.begin()
        self._serve()

    def log(self, **numbers: Any) -> None:
        """For the next update that is recorded; kept as they are, nothing waits for the device."""
        for name, value in numbers.items():
            self._logged.setdefault(name, []).append(checked(name, value))

    def note(self, **numbers: Any) -> None:
        """For the update that was made last."""
        if self._session is not None and numbers:
            self._session.note({name: [checked(name, value)] for name, value in numbers.items()})

    def batch_done(self, *, consumed: int, norm: Any = None) -> None:
        """A boundary, after `consumed` batches of this epoch: an update that was made is recorded, with its
        gradient norm where the library has it; then commands are served, and what is asked of the library."""
        self.loop.consumed = consumed
        count = self.loop.settings.updates()
        if count != self._seen:
            self._seen = count
            logged, self._logged = self._logged, {}
            self._step_done(logged, norm)
        self._serve()

    def _step_done(self, logged: dict[str, list[Number]], norm: Any) -> None:
        if self._session is not None:
            self._session.step_done(logged, norm)
        else:
            self.loop.updated(self.loop.settings.hooked[0], logged)

    def _serve(self) -> None:
        session, together = self._session, self.loop.together
        if session is not None and not session.is_over:
            session.serve()
            if session.is_over:
                together.say(commands.Stop())
        for command in together.exchanged():
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        driver = self.loop.driver
        match command:
            case commands.Stop():
                driver.stop()
            case commands.SaveCheckpoint(name=name):
                driver.save(name)
            case commands.Evaluate():
                driver.ask()
            case _:
                if self._session is None:
                    own_loop.apply(command, self.loop)

    def measured(self, numbers: Mapping[str, Any], *, ends_epoch: bool) -> None:
        """What the library has evaluated."""
        if self._session is not None and not self._session.is_over:
            self._session.measured(lambda: numbers, ends_epoch=ends_epoch)

    def end_epoch(self) -> None:
        if self._session is not None:
            self._session.end_epoch()
        else:
            self.loop.close_epoch()

    def over(self, error: BaseException | None = None, *, saved: str = "", signal: str = "") -> None:
        """The library is through, with its checkpoint `saved`, or ended by `signal`; one that was held back
        for that goes on now."""
        self._carried.stop()
        if self._session is None:
            for one in self.loop.settings.hooked:
                one.remove()
            return
        self._session.saved = saved
        self._session.conclude(error, signal)


def _count(number: float) -> int | None:
    return -int(-number // 1) if 0 < number < 1e15 else None
