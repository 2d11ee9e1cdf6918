"""What a script evaluates, and what is said of an epoch."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trainconsole.engine.attach.beginning import Begun
from trainconsole.engine.attach.driver import Ask
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.own_loop.loop import OwnLoop
from trainconsole.engine.own_loop.numbers import METRIC, checked
from trainconsole.engine.protocol import events
from trainconsole.engine.protocol.status import Stage
from trainconsole.engine.tensors.random_state import generators_kept

KNOWN = ("loss", METRIC)
"""What is drawn over the same of training; a metric of another name has a curve of its own."""
Measure = Callable[[], Mapping[str, Any]]


class Measuring:
    """Used by the thread that trains. `told` says that the epoch which is over was told of."""

    def __init__(self, loop: OwnLoop, ask: Ask | None = None) -> None:
        self.begun: Begun | None = None
        self.told = False
        self._loop = loop
        self._ask = ask
        self._measure: Measure | None = None

    def evaluated(self, measure: Measure, *, ends_epoch: bool) -> dict[str, float]:
        """What `measure` returns, recorded."""
        self._measure = measure
        if self.begun is None:
            return numbers(measure())
        self.begun.boundary.read_back()
        self.begun.report.publish("evaluating")
        found = numbers(measure())
        self._tell(events.EpochEnded if ends_epoch and not self.told else events.Evaluated, found)
        self.told |= ends_epoch
        self.begun.report.publish("training")
        return found

    def on_request(self, stop: Callable[[], bool], then: Stage) -> None:
        """What the script measured last, with its modules as they are now; their mode is then as it was."""
        begun = self.begun
        if begun is None:
            return
        measure = self._ask or self._measure
        if measure is None:
            why = "nothing was evaluated: the script has not called run.evaluate yet"
            begun.report.emit(events.Warned, why=why)
            return
        begun.report.publish("evaluating")
        tops = self._loop.registered.modules.values()
        modes = {module: module.training for top in tops for module in top.modules()}
        found: Mapping[str, Any] | None = None
        try:
            # What it draws is not the script's: whoever replays this run does not ask again.
            with generators_kept(self._loop.device):
                found = measure()
        except UserError as error:
            begun.report.emit(events.Warned, why=str(error))
        for module, mode in modes.items():
            module.training = mode
        begun.report.publish(then)
        if found is not None:
            self._tell(events.Evaluated, numbers(found))

    def close_epoch(self) -> None:
        """An epoch is over, evaluated or not."""
        if not self.told:
            self._tell(events.EpochEnded, None)
        self.told = False
        self._loop.close_epoch()
        if self.begun is not None:
            self.begun.boundary.meter.begin_epoch()
            self.begun.report.publish("training", in_force=self._loop.in_force())

    def _tell(self, kind: type[events.Measured], val: dict[str, float] | None) -> None:
        begun, loop = self.begun, self._loop
        if begun is None:
            return
        begun.boundary.read_back()
        others = {f"val {name}": value for name, value in (val or {}).items() if name not in KNOWN}
        begun.report.own_numbers(
            {name: ([loop.step], np.array([value], np.float32)) for name, value in others.items()}
        )
        begun.report.emit(
            kind,
            epoch=loop.epochs_done + 1,
            train=loop.epoch_means(),
            val=val,
            lr=begun.boundary.meter.last_rate,
            steps_per_second=begun.boundary.meter.epoch_speed(),
            best=None,
        )


def numbers(measured: Mapping[str, Any]) -> dict[str, float]:
    """Raises UserError where it is no dict of numbers."""
    if not isinstance(measured, Mapping):
        raise UserError(f"run.evaluate: a dict of numbers is wanted, not a {type(measured).__name__}")
    return {str(name): float(checked(str(name), value)) for name, value in measured.items()}
