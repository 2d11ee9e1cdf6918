"""The step boundary of a script that is watched from outside: what it cannot do it refuses, and says why."""

from trainconsole.engine.boundary.boundary import Boundary
from trainconsole.engine.common import environment
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.own_loop.numbers import Update
from trainconsole.engine.protocol import commands
from trainconsole.engine.protocol.commands import Command, Request
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.reporting.refusals import Refused
from trainconsole.engine.rewind.rewind import Travel
from trainconsole.engine.runs.scripts import ONE_OF_SEVERAL, TWO_LINES, WAYS_BACK
from trainconsole.engine.unchanged.loop import WatchedLoop

HARMLESS = (commands.Pause, commands.Resume, commands.Next, commands.SaveCheckpoint)
"""What may be done to one of several processes that train one model."""


class NoWayBack(Travel):
    """Saves where it is asked to, never by the clock: a script does that itself."""

    def save_when_due(self) -> None:
        """Nothing."""


class WatchedBoundary(Boundary[Update]):
    """`loop` is what it steers."""

    loop: WatchedLoop
    _told_rates: object = None

    def read_back(self) -> None:
        """With the rates, which a scheduler of the script changes."""
        self.loop.forget()
        super().read_back()
        now = (self.loop.settings.rate(), self.loop.settings.rates())
        if now != self._told_rates:
            self._told_rates = now
            self._report.publish(in_force=self.loop.in_force())

    def _obey(self, command: Command, request: Request) -> None:
        if environment.has_others() and not isinstance(command, HARMLESS):
            raise Refused(ONE_OF_SEVERAL)
        match command:
            case commands.Undo() | commands.Rewind():
                raise Refused(WAYS_BACK)
            case commands.Evaluate():
                raise Refused(f"how it evaluates, the script has not said; {TWO_LINES}")
            case commands.Stop(keep="best"):
                raise Refused("which weights were the best is not known here; 'stop last' keeps what is")
            case commands.SaveCheckpoint(name=name):
                self._save(name, request)
            case _:
                super()._obey(command, request)

    def _save(self, name: str, request: Request) -> None:
        try:
            what = self.loop.reached().described()
            path = self._travel.save_on_request(name)
        except UserError as error:
            raise Refused(str(error)) from None
        self._report.acknowledge(request, Effect(after={"path": path}, note=what))

    def _change(self, command: Command, request: Request) -> None:
        """There is no way back, and so no snapshot for it."""
        self._steer(command, request)
