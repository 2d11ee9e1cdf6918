"""The training thread: drains commands at step boundaries, drives the Trainer, emits events. The only loop.

At a boundary: commands -> batch -> update -> schedule. At the end of an epoch: evaluate -> `epoch` event ->
plateau and early stopping -> checkpoint.
"""

import queue
from collections import deque

from msgspec.structs import replace

from trainconsole.engine import messages, steering
from trainconsole.engine.ending import Ending, Keep, conclude, described, kept_at_the_end
from trainconsole.engine.grammar import GrammarError, parse, tidy
from trainconsole.engine.messages import Command, Entry, Event, Interrupt, Request
from trainconsole.engine.meter import Meter
from trainconsole.engine.reporter import Reporter
from trainconsole.engine.script import Script
from trainconsole.engine.trainer import Step, Trainer
from trainconsole.engine.travel import Travel

Inbox = queue.SimpleQueue[Request | Interrupt]


class Loop:
    """Runs in one thread: requests come in by `inbox`, all that is to be said goes out by `report`."""

    def __init__(
        self, trainer: Trainer, report: Reporter, travel: Travel, script: Script, inbox: Inbox
    ) -> None:
        self._trainer = trainer
        self._report = report
        self._travel = travel
        self._script = script
        self._inbox = inbox
        self._waiting: deque[Request | Interrupt] = deque()
        self._watch = report.watch
        self._meter = Meter(trainer, report)
        self._ending: Ending | None = None
        self._paused = False
        self._allowance = 0
        self._warned_epoch = 0

    def run(self) -> Event:
        """Train to the end, a stop or a signal; returns the last event. Other exceptions pass through."""
        self._report.publish("training", in_force=steering.in_force(self._trainer))
        self._watch.start()
        while self._ending is None:
            if self._trainer.epoch_complete:
                self._end_epoch()
                continue
            self._serve()
            if self._ending is None and self._trainer.done:
                self._ending = Ending("completed", keep=kept_at_the_end(self._trainer))
            if self._ending is None:
                self._train_step()
        self._watch.stop()
        return self._conclude(self._ending)

    def fail(self, reason: str) -> None:
        """Something broke: what was trained so far is recorded, and why it ended. Raises OSError."""
        self._meter.read_back(stop_at_trouble=False)
        self._report.emit(messages.Failed, reason=reason, where="host.log")
        self._report.publish("finished", time_left=0.0)

    def close(self) -> None:
        """Let go of the run directory."""
        self._travel.close()
        self._report.recorder.close()

    # --- a step ---

    def _train_step(self) -> None:
        due = self._meter.add(self._trainer.train_step())
        if self._allowance:
            self._count_down()
        if due:
            self._read_back()
            self._save_when_due()

    def _save_when_due(self) -> None:
        saver = self._travel.saver
        if not saver.has_room:
            saver.make_room(self._travel.state(), spare=self._trainer.best_state is None)
        elif saver.due(self._watch.seconds, epoch_end=False):
            self._travel.save_last()

    def _count_down(self) -> None:
        self._allowance -= 1
        if not self._allowance:
            self._read_back()
            self._report.emit(messages.Paused, why="the steps asked for are done")

    def _read_back(self) -> None:
        trouble = self._meter.read_back(stop_at_trouble=self._trainer.config.on_nonfinite != "skip")
        self._travel.announce()
        if trouble is not None:
            self._on_nonfinite(trouble)

    def _on_nonfinite(self, step: Step) -> None:
        """The update of `step` was withheld, on an accelerator those after it too."""
        policy = self._trainer.config.on_nonfinite
        if policy == "skip" and self._warned_epoch == step.epoch:
            return
        trouble = self._trainer.diagnose(step)
        if policy == "skip":
            self._warned_epoch = step.epoch
            self._report.emit(messages.Warned, why=described(trouble), kind="nonfinite", trouble=trouble)
            return
        self._trainer.return_to(step)
        if policy == "fail":
            self._ending = Ending("nonfinite", trouble=trouble)
            return
        self._paused, self._allowance = True, 0
        self._report.emit(messages.Paused, why=described(trouble), kind="nonfinite", trouble=trouble)

    # --- commands ---

    def _serve(self) -> None:
        """What is to be applied again at this boundary, what is scripted for it, what has arrived; while
        paused, what arrives."""
        self._serve_lineage()
        while self._ending is None and (request := self._next_request()) is not None:
            self._take(request)

    def _serve_lineage(self) -> None:
        """What is to be applied again, then what is scripted."""
        trainer = self._trainer
        for entry in self._travel.due():
            self._apply_again(entry)
            if self._ending is not None:
                return
        if not self._script.is_due(trainer.step, trainer.epoch, starts_epoch=trainer.starts_epoch):
            return
        # On an accelerator this may find that an earlier update was withheld, and go back there.
        self._read_back()
        for name, text in self._script.due(trainer.step, trainer.epoch, starts_epoch=trainer.starts_epoch):
            if self._ending is None:
                self._take(Request(id=name, origin="script", command=text))

    def _next_request(self) -> Request | Interrupt | None:
        """The next that may be served; None where training goes on first."""
        while True:
            self._arrived()
            for request in self._waiting:
                if not self._travel.catching_up or _is_urgent(request):
                    self._waiting.remove(request)
                    return request
            if not self._must_wait:
                return None
            self._waiting.append(self._wait())

    def _apply_again(self, entry: Entry) -> None:
        """A command of the lineage, at its step: no snapshot, as it was decided in an earlier life."""
        _, text, name = entry
        self._read_back()
        command, request = parse(text), Request(id=name, origin="again", command=text)
        if isinstance(command, messages.Stop):
            self._stop(command.keep, request)
        else:
            self._steer(command, request)

    @property
    def _must_wait(self) -> bool:
        return self._paused and not self._allowance

    def _arrived(self) -> bool:
        while not self._inbox.empty():
            self._waiting.append(self._inbox.get())
        return bool(self._waiting)

    def _wait(self) -> Request | Interrupt:
        self._report.publish("paused", time_left=None)
        self._watch.stop()
        request = self._inbox.get()
        self._watch.start()
        return request

    def _take(self, request: Request | Interrupt) -> None:
        self._read_back()
        if self._ending is not None:
            self._waiting.appendleft(request)
            return
        if isinstance(request, Interrupt):
            self._ending = Ending("interrupted", signal=request.signal)
            return
        request = replace(request, command=tidy(request.command))
        try:
            self._obey(parse(request.command), request)
        except (GrammarError, steering.Refused) as error:
            self._report.reject(request, str(error))

    def _obey(self, command: Command, request: Request) -> None:
        """Carry out `command` and acknowledge it. Raises Refused."""
        match command:
            case messages.Pause():
                self._pause(request)
            case messages.Resume():
                self._resume(request)
            case messages.Next(steps=steps):
                self._paused, self._allowance = True, steps
                self._report.acknowledge(request, steering.Effect(after={"steps": steps}))
                self._report.publish("training")
            case messages.Stop(keep=keep):
                self._stop(keep, request)
            case messages.Evaluate():
                self._report.acknowledge(request, steering.Effect())
                self._evaluate_on_request()
            case messages.SaveCheckpoint(name=name):
                self._save_on_request(name, request)
            case messages.Undo():
                self._travel.undo(request)
                self._went_back()
            case messages.Rewind():
                self._travel.rewind(command, request)
                self._went_back()
            case _:
                self._change(command, request)

    def _change(self, command: Command, request: Request) -> None:
        try:
            taken = self._travel.before_change()
        except OSError as error:
            raise steering.Refused(f"no room for the snapshot that undo needs: {error.strerror}") from None
        try:
            self._steer(command, request)
        except steering.Refused:
            if taken:
                self._travel.forget_change()
            raise

    def _went_back(self) -> None:
        """Another place in the run: what was counted from the old one starts anew."""
        self._meter.start_over()
        self._warned_epoch = 0
        if self._paused:
            self._allowance = max(0, self._travel.until - self._trainer.step)

    def _steer(self, command: Command, request: Request) -> None:
        effect = steering.apply(command, self._trainer)
        self._trainer.lineage.append((self._trainer.step, request.command, request.id))
        self._report.publish(in_force=steering.in_force(self._trainer))
        self._report.acknowledge(request, effect)

    def _pause(self, request: Request) -> None:
        if self._must_wait:
            raise steering.Refused("already paused")
        self._paused, self._allowance = True, 0
        self._report.acknowledge(request, steering.Effect({"paused": False}, {"paused": True}))
        self._report.emit(messages.Paused, why="on request")

    def _resume(self, request: Request) -> None:
        if not self._paused:
            raise steering.Refused("not paused")
        self._paused, self._allowance = False, 0
        self._report.acknowledge(request, steering.Effect({"paused": True}, {"paused": False}))
        self._report.emit(messages.Resumed, why="on request")
        self._report.publish("training")

    def _stop(self, keep: Keep, request: Request) -> None:
        if keep == "best" and self._trainer.best is None:
            raise steering.Refused("no epoch has ended yet, so there is no best; 'stop last' keeps what is")
        entry = (self._trainer.step, request.command, request.id)
        self._ending = Ending("stopped", keep=keep, stop=(entry,))
        self._report.acknowledge(request, steering.Effect(after={"keep": keep}))

    def _save_on_request(self, name: str, request: Request) -> None:
        """Waits for the writer: what is acknowledged is on the disk."""
        try:
            if name:
                self._travel.save_named(name)
                self._travel.saver.flush()
            else:
                self._travel.save_last_now()
        except OSError as error:
            raise steering.Refused(f"not written: {error.strerror}") from None
        self._travel.announce()
        path = f"checkpoints/{name or 'last'}.pt"
        self._report.acknowledge(request, steering.Effect(after={"path": path}))

    # --- evaluation ---

    def _end_epoch(self) -> None:
        self._read_back()
        if self._ending is not None or not self._trainer.epoch_complete:
            return
        trainer = self._trainer
        speed = self._meter.epoch_speed()
        val = self._validated()
        if self._breaks_off():
            return
        train = trainer.epoch_means()
        if trainer.close_epoch(train, val):
            self._travel.keep_best()
        self._report.emit(
            messages.EpochEnded,
            epoch=trainer.epochs_done,
            train=train,
            val=val,
            lr=self._meter.last_rate,
            steps_per_second=speed,
            best=trainer.best,
        )
        if trainer.patience.left(trainer.config.early_stopping) == 0 and not trainer.done:
            self._ending = Ending("early_stopping", keep=kept_at_the_end(trainer))
        self._meter.begin_epoch()
        if self._travel.saver.due(self._watch.seconds, epoch_end=True):
            self._travel.save_last()
        self._report.publish("training", in_force=steering.in_force(trainer))

    def _validated(self) -> dict[str, float] | None:
        """Metrics of the validation data; None where there is none, or where the evaluation broke off."""
        if self._trainer.data.val is None:
            return None
        self._report.publish("evaluating")
        tally = self._trainer.evaluate(self._trainer.data.val, self._ends_now)
        return tally.result() if tally else None

    def _ends_now(self) -> bool:
        """A signal or `stop last` is waiting. `stop best` is not among them: it needs the evaluation.

        A scripted one counts too: in the run that it repeats, it may have broken off this evaluation.
        """
        waiting = self._arrived() and any(_is_end(request) for request in self._waiting)
        return waiting or self._stops_again

    @property
    def _stops_again(self) -> bool:
        step = self._trainer.step
        return self._script.stops_at(step) or self._travel.stops_at(step)

    def _breaks_off(self) -> bool:
        """Serve the end that waits, ahead of what came before it: the epoch stays open."""
        if self._stops_again:
            self._serve_lineage()
        elif self._ends_now():
            end = next(request for request in self._waiting if _is_end(request))
            self._waiting.remove(end)
            self._take(end)
        return self._ending is not None

    def _evaluate_on_request(self) -> None:
        trainer = self._trainer
        val = self._validated()
        self._report.publish("paused" if self._must_wait else "training")
        if trainer.data.val is not None and val is None:
            return
        self._report.emit(
            messages.Evaluated,
            epoch=trainer.epoch,
            train=trainer.epoch_means(),
            val=val,
            lr=self._meter.last_rate,
            steps_per_second=self._report.status.steps_per_second,
            best=trainer.best,
        )

    # --- the end ---

    def _conclude(self, ending: Ending) -> Event:
        self._read_back()
        self._travel.save_last_now()
        self._turn_away()
        event = conclude(self._trainer, self._report, ending)
        self._report.publish("finished", time_left=0.0)
        return event

    def _turn_away(self) -> None:
        self._arrived()
        for request in self._waiting:
            if isinstance(request, Request):
                self._report.reject(request, "the run is ending")


def _is_urgent(request: Request | Interrupt) -> bool:
    """What is served even while commands are still to be applied again."""
    return isinstance(request, Interrupt) or tidy(request.command).partition(" ")[0] in (
        "pause",
        "resume",
        "next",
        "stop",
    )


def _is_end(request: Request | Interrupt) -> bool:
    return isinstance(request, Interrupt) or tidy(request.command) in ("stop", "stop last")
