"""What an adapter calls: a run whose loop is a library's, which says where it is."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainconsole.engine.attach.attach import is_off, opened
from trainconsole.engine.attach.carried import Carried
from trainconsole.engine.attach.driven_loop import DrivenLoop
from trainconsole.engine.attach.driver import Driver
from trainconsole.engine.attach.session import Session
from trainconsole.engine.boundary.ending import Ending
from trainconsole.engine.own_loop.numbers import Number, checked
from trainconsole.engine.own_loop.registered import Registered


def drive(
    driver: Driver,
    *,
    name: str = "",
    runs_dir: str | os.PathLike[str] = "runs",
    grad_norm: bool = False,
    **objects: Any,
) -> "Driven | None":
    """The run of a loop that `driver` owns; None with TRAINCONSOLE=off. Raises UserError."""
    if is_off():
        return None
    loop = DrivenLoop(Registered(objects), driver, grad_norm=grad_norm)
    return Driven(opened(loop, name, Path(runs_dir), None), loop)


class Driven:
    """Used by the thread that trains: `begin`, then `batch_done` after each, `end_epoch`, and `over`."""

    def __init__(self, session: Session, loop: DrivenLoop) -> None:
        self.loop = loop
        self._session = session
        self._logged: dict[str, list[Number]] = {}
        self._carried = Carried(loop.settings)

    def begin(self, *, at: int, epochs_done: int, consumed: int) -> Ending | None:
        """Before the first update of this process, after `at` that others have made. The first boundary."""
        loop = self.loop
        loop.step, loop.epochs_done, loop.consumed = at, epochs_done, consumed
        if self._carried.bring_back():
            loop.settings.plan_next(loop.position)
            self._session.warn(f"what was set before the checkpoint of {loop.driver.name} is in force again")
        self._session.begin()
        return self._served()

    def plan(self, *, steps: float, epochs: float, batches: float, a_step: float = 1.0) -> None:
        """How long it is: updates in all, epochs in all, batches an epoch; what is not a finite number above
        0 is not known. An update takes `a_step` batches. Before `begin`."""
        loop = self.loop
        loop.steps, loop.epochs, loop.batches = _count(steps) or 0, _count(epochs), _count(batches)
        loop.pace = a_step / loop.batches if loop.batches else 0.0

    def log(self, **numbers: Any) -> None:
        """For the next update that is recorded; kept as they are, nothing waits for the device."""
        for name, value in numbers.items():
            self._logged.setdefault(name, []).append(checked(name, value))

    def batch_done(self, *, consumed: int, norm: Any = None) -> Ending | None:
        """A boundary, after `consumed` batches of this epoch: an update that was made is recorded, with its
        gradient norm where the library has it; then commands are served. Why the library is to end, if it
        is."""
        session = self._session
        self.loop.consumed = consumed
        if session.updates():
            logged, self._logged = self._logged, {}
            session.step_done(logged, norm)
        return self._served()

    def _served(self) -> Ending | None:
        session = self._session
        if not session.is_over:
            session.serve()
        return session.ending

    def measured(self, numbers: Mapping[str, Any], *, ends_epoch: bool) -> None:
        """What the library has evaluated."""
        if not self._session.is_over:
            self._session.measured(lambda: numbers, ends_epoch=ends_epoch)

    def end_epoch(self) -> None:
        self._session.end_epoch()

    def over(self, error: BaseException | None = None, *, saved: str = "", signal: str = "") -> None:
        """The library is through, with its checkpoint `saved`, or ended by `signal`; one that was held back
        for that goes on now."""
        self._carried.stop()
        self._session.saved = saved
        self._session.conclude(error, signal)


def _count(number: float) -> int | None:
    return -int(-number // 1) if 0 < number < 1e15 else None
