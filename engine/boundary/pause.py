"""Whether a run goes on: paused, a number of steps at a time, or held by an update that was withheld."""

from trainconsole.engine.protocol import events
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.events import Trouble
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.reporting.refusals import Refused
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.reporting.steered import Steered


class Pausing:
    """Used by the training thread. `allowance` is the number of steps that a paused run still does."""

    def __init__(self, trainer: Steered, report: Reporter) -> None:
        self.paused = False
        self.allowance = 0
        self._trainer = trainer
        self._report = report

    @property
    def waits(self) -> bool:
        """No step is done before a command says so."""
        return self.paused and not self.allowance

    def step_done(self) -> bool:
        """Count a step; whether it was the last that was asked for."""
        if not self.allowance:
            return False
        self.allowance -= 1
        return not self.allowance

    def pause(self, request: Request) -> None:
        """Raises Refused."""
        if self.waits:
            raise Refused("already paused")
        self.paused, self.allowance = True, 0
        self._report.acknowledge(request, Effect({"paused": False}, {"paused": True}))
        self._report.emit(events.Paused, why="on request")

    def resume(self, request: Request) -> None:
        """Raises Refused."""
        if not self.paused and self._trainer.withheld is None:
            raise Refused("not paused")
        before = {"paused": self.paused}
        self.paused, self.allowance = False, 0
        self._go_on(request, Effect(before, {"paused": False}))
        self._report.emit(events.Resumed, why="on request")
        self._report.publish("training")

    def next(self, steps: int, request: Request) -> None:
        self.paused, self.allowance = True, steps
        self._go_on(request, Effect(after={"steps": steps}))
        self._report.publish("training")

    def pass_again(self, request: Request) -> None:
        """What let the run go on past a withheld update in an earlier life; a pause stays as it is."""
        self._trainer.withheld = None
        self._pass(request, Effect())

    def hold(self, trouble: Trouble) -> None:
        """Wait for somebody who decides that the run goes on."""
        self.paused, self.allowance = True, 0
        self._report.emit(events.Paused, why=trouble.described(), kind="nonfinite", trouble=trouble)

    def _go_on(self, request: Request, effect: Effect) -> None:
        if self._trainer.withheld is None:
            self._report.acknowledge(request, effect)
            return
        note = f"past step {self._trainer.withheld.step}, whose update was withheld"
        self._trainer.withheld = None
        self._pass(request, Effect(effect.before, effect.after, note))

    def _pass(self, request: Request, effect: Effect) -> None:
        """Going on past trouble counts in the lineage, as `resume`."""
        self._trainer.lineage.append((self._trainer.step, "resume", request.id))
        self._report.acknowledge(request, effect, passes=True)
