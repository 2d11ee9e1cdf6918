"""The step boundary: commands are served, applied again and scripted, numbers read back, and it is decided
whether another update comes. Whoever drives the updates calls it; it never drives one."""

from collections.abc import Callable
from typing import Generic

from msgspec.structs import replace

from trainconsole.engine.boundary.command_queue import Inbox, Waiting
from trainconsole.engine.boundary.ending import Ending, Keep
from trainconsole.engine.boundary.pause import Pausing
from trainconsole.engine.protocol import commands, events
from trainconsole.engine.protocol.grammar import GrammarError, parse, tidy
from trainconsole.engine.protocol.script import Script
from trainconsole.engine.protocol.status import Stage
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.reporting.readback import Meter
from trainconsole.engine.reporting.refusals import Refused, refused
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.reporting.steered import S, Stepped
from trainconsole.engine.rewind.rewind import Travel
from trainconsole.engine.tensors import memory

Evaluate = Callable[[Callable[[], bool], Stage], None]
"""Measures on request, until the first argument says stop; the stage is the second afterwards."""


class Boundary(Generic[S]):
    """Used by the training thread: `serve` before each update, `step_done` after it, until there is an
    `ending`. `evaluate` is the driver's."""

    def __init__(
        self,
        trainer: Stepped[S],
        report: Reporter,
        travel: Travel,
        script: Script,
        inbox: Inbox,
        evaluate: Evaluate,
    ) -> None:
        self.ending: Ending | None = None
        self.meter = Meter(trainer, report)
        self.waiting = Waiting(inbox)
        self._trainer = trainer
        self._report = report
        self._travel = travel
        self._script = script
        self._evaluate = evaluate
        self._watch = report.watch
        self._pausing = Pausing(trainer, report)
        self._warned_epoch = 0

    def serve(self) -> None:
        """What is to be applied again at this boundary, what is scripted for it, what has arrived; while
        paused, what arrives. All of it is on the disk before the next step."""
        if self._is_quiet:
            return
        self._serve_lineage()
        while self.ending is None and (request := self._next_request()) is not None:
            self._report.hold()
            self._take(request)
            self._serve_lineage()
        self._report.commit()
        self.waiting.turn()

    @property
    def _is_quiet(self) -> bool:
        """Nothing at all is to be done: the usual case, in 0.5 us."""
        return not (
            self.waiting.arrived()
            or self._pausing.paused
            or self._script.waits
            or self._travel.again
            or self._trainer.withheld is not None
        )

    def step_done(self, step: S) -> None:
        """An update was made, or withheld."""
        due = self.meter.add(step)
        if self._pausing.step_done():
            self.read_back()
            if self._trainer.withheld is None:
                self._report.emit(events.Paused, why="the steps asked for are done")
        if due:
            self.read_back()
            self._travel.save_when_due()

    def read_back(self) -> None:
        """Numbers come off the device; an update that was withheld is told of, or ends the run."""
        trouble = self.meter.read_back(stop_at_trouble=self._trainer.on_nonfinite != "skip")
        self._travel.announce()
        if trouble is not None:
            self._on_nonfinite(trouble)
        else:
            self._report.pass_on()

    def ends_now(self) -> bool:
        """A signal or `stop last` is waiting. `stop best` is not among them: it needs the evaluation.

        A scripted one counts too: in the run that it repeats, it may have broken off this evaluation.
        """
        return self.waiting.ends() or self._stops_again

    def breaks_off(self) -> bool:
        """Serve the end that waits, ahead of what came before it: the epoch stays open."""
        if self._stops_again:
            self._serve_lineage()
        elif self.waiting.ends():
            self._take(self.waiting.take_end())
        return self.ending is not None

    # --- an update that was withheld ---

    def _on_nonfinite(self, step: S) -> None:
        """The update of `step` was withheld, on an accelerator those after it too."""
        skip = self._trainer.on_nonfinite == "skip"
        if skip and self._warned_epoch == step.epoch:
            return
        trouble = self._trainer.diagnose(step)
        if skip:
            self._warned_epoch = step.epoch
        else:
            self._trainer.return_to(step)
            self._trainer.withheld = trouble
        if skip or self._lineage_is_due():
            self._report.emit(events.Warned, why=trouble.described(), kind="nonfinite", trouble=trouble)
        else:
            self._halt(trouble)

    def _halt(self, trouble: events.Trouble) -> None:
        """Nothing lets the run go on past it: wait for a person, or end."""
        if self._trainer.on_nonfinite == "fail":
            self.ending = Ending("nonfinite", trouble=trouble)
        else:
            self._pausing.hold(trouble)

    # --- what is due again ---

    def _serve_lineage(self) -> None:
        """What is to be applied again, then what is scripted."""
        trainer = self._trainer
        if self._lineage_is_due():
            self._report.hold()
            # On an accelerator this may find that an earlier update was withheld, and go back there.
            self.read_back()
            for entry in self._travel.due():
                self._apply_again(entry)
                if self.ending is not None:
                    return
            due = self._script.due(trainer.step, trainer.epoch, starts_epoch=trainer.starts_epoch)
            for name, text in due:
                if self.ending is None:
                    self._take(commands.Request(id=name, origin="script", command=text))
        if trainer.withheld is not None and self.ending is None and not self._pausing.waits:
            self._halt(trainer.withheld)

    def _lineage_is_due(self) -> bool:
        trainer = self._trainer
        return self._travel.is_due or self._script.is_due(
            trainer.step, trainer.epoch, starts_epoch=trainer.starts_epoch
        )

    @property
    def _stops_again(self) -> bool:
        step = self._trainer.step
        return self._script.stops_at(step) or self._travel.stops_at(step)

    def _apply_again(self, entry: events.Entry) -> None:
        """A command of the lineage, at its step: no snapshot, as it was decided in an earlier life."""
        _, text, name = entry
        command, request = parse(text), commands.Request(id=name, origin="again", command=text)
        match command:
            case commands.Stop(keep=keep):
                self._stop(keep, request)
            case commands.Resume():
                self._pausing.pass_again(request)
            case _:
                self._steer(command, request)

    # --- what arrives ---

    def _next_request(self) -> commands.Request | commands.Interrupt | None:
        """The next that may be served; None where training goes on first."""
        while True:
            waits = self._pausing.waits
            request = self.waiting.next(control=self._travel.catching_up, steps=not waits)
            if request is not None or not waits:
                return request
            self._wait()

    def _wait(self) -> None:
        self._report.commit()
        self.waiting.turn()
        self._report.publish("paused", time_left=None)
        self._watch.stop()
        self.waiting.wait()
        self._watch.start()

    def _take(self, request: commands.Request | commands.Interrupt) -> None:
        self.read_back()
        if self.ending is not None:
            self.waiting.put_back(request)
            return
        if isinstance(request, commands.Interrupt):
            self.ending = Ending("interrupted", signal=request.signal)
            return
        request = replace(request, command=tidy(request.command))
        try:
            self._obey(parse(request.command), request)
        except (GrammarError, Refused) as error:
            self._report.reject(request, str(error))

    def _obey(self, command: commands.Command, request: commands.Request) -> None:
        """Carry out `command` and acknowledge it. Raises Refused."""
        match command:
            case commands.Pause():
                self._pausing.pause(request)
            case commands.Resume():
                self._pausing.resume(request)
            case commands.Next(steps=steps):
                self._pausing.next(steps, request)
            case commands.Stop(keep=keep):
                self._stop(keep, request)
            case commands.Evaluate():
                self._report.acknowledge(request, Effect())
                self._report.commit()
                self._evaluate(self.ends_now, "paused" if self._pausing.waits else "training")
            case commands.SaveCheckpoint(name=name):
                path = self._travel.save_on_request(name)
                self._report.acknowledge(request, Effect(after={"path": path}))
            case commands.Undo():
                self._travel.undo(request)
                self._went_back()
            case commands.Rewind():
                self._travel.rewind(command, request)
                self._went_back()
            case _:
                self._change(command, request)

    def _change(self, command: commands.Command, request: commands.Request) -> None:
        taken = self._travel.before_change()
        try:
            self._steer(command, request)
        except Refused:
            if taken:
                self._travel.forget_change()
            raise

    def _steer(self, command: commands.Command, request: commands.Request) -> None:
        with refused("not done", memory.ran_out):
            effect = self._trainer.apply(command)
        self._trainer.lineage.append((self._trainer.step, request.command, request.id))
        self._report.publish(in_force=self._trainer.in_force())
        self._report.acknowledge(request, effect)

    def _stop(self, keep: Keep, request: commands.Request) -> None:
        if keep == "best" and self._trainer.best is None:
            raise Refused("no epoch has ended yet, so there is no best; 'stop last' keeps what is")
        entry = (self._trainer.step, request.command, request.id)
        self.ending = Ending("stopped", keep=keep, stop=(entry,))
        self._report.acknowledge(request, Effect(after={"keep": keep}))

    def _went_back(self) -> None:
        """Another place in the run: what was counted from the old one starts anew."""
        self.meter.start_over()
        self._warned_epoch = 0
        if self._pausing.paused:
            self._pausing.allowance = max(0, self._travel.until - self._trainer.step)
        if self._trainer.withheld is not None and not self._travel.is_due:
            self._pausing.hold(self._trainer.withheld)
