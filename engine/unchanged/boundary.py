"""The step boundary of a script that is watched from outside: what it cannot do it refuses, and says why."""

from trainconsole.engine.boundary.boundary import Boundary
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.own_loop.numbers import Update
from trainconsole.engine.protocol import commands
from trainconsole.engine.protocol.commands import Command, Request
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.reporting.refusals import Refused
from trainconsole.engine.rewind.rewind import Travel
from trainconsole.engine.runs.scripts import TWO_LINES, WAYS_BACK
from trainconsole.engine.unchanged.loop import WatchedLoop


class NoWayBack(Travel):
    """Saves where it is asked to, never by the clock: a script does that itself."""

    def save_when_due(self) -> None:
        """Nothing."""


class WatchedBoundary(Boundary[Update]):
    """`loop` is what it steers; `scripted` says whether there are commands beside those that arrive."""

    loop: WatchedLoop
    scripted = False
    _told_rates: object = None

    def serve(self) -> None:
        """Where nothing is scripted and nobody has asked for anything, in a tenth of the time."""
        if self.scripted or self._pausing.paused or self.waiting.arrived():
            super().serve()

    def read_back(self) -> None:
        """With the rates, which a scheduler of the script changes."""
        super().read_back()
        self.loop.forget()
        now = (self.loop.settings.rate(), self.loop.settings.rates())
        if now != self._told_rates:
            self._told_rates = now
            self._report.publish(in_force=self.loop.in_force())

    def _obey(self, command: Command, request: Request) -> None:
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
