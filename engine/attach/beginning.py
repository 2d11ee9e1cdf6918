"""The first boundary of a script's run: the record is opened, and a run that goes on is where it was."""

import gc
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch
from torch.optim.swa_utils import AveragedModel

from trainconsole.engine.attach.driven_loop import DrivenLoop
from trainconsole.engine.attach.driver import Driver
from trainconsole.engine.attach.host import OwnHost
from trainconsole.engine.attach.one_way import OneWay
from trainconsole.engine.boundary.boundary import Boundary
from trainconsole.engine.checkpoints import schema
from trainconsole.engine.checkpoints.retention import written_before
from trainconsole.engine.checkpoints.schema import Kept
from trainconsole.engine.checkpoints.undo_stack import UndoStack
from trainconsole.engine.checkpoints.writer import Saver
from trainconsole.engine.checks.trial_checkpoint import try_saving
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.own_loop.numbers import METRIC, Update
from trainconsole.engine.own_loop.steered_loop import SteeredLoop
from trainconsole.engine.protocol import script
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.events import AnyEvent, Event, ResumedRun, Started, Warned
from trainconsole.engine.protocol.status import Stage
from trainconsole.engine.record import checkpoint_names, metric_rows, own_files, run_directory
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.rewind import resume_point
from trainconsole.engine.rewind.rewind import Travel
from trainconsole.engine.runs import branches
from trainconsole.engine.runs.scripts import Start
from trainconsole.engine.session.description import session_facts
from trainconsole.engine.verify.record import CHECKPOINT

ORIGIN = "step0"
"""The checkpoint of the state that a run begins with."""

Evaluate = Callable[[Callable[[], bool], Stage], None]


@dataclass(frozen=True)
class Begun:
    """What serves a run's boundaries."""

    boundary: Boundary[Update]
    report: Reporter
    travel: Travel

    def end(self, kind: type[Event], **fields: Any) -> None:
        """The last event; the record is closed."""
        self.report.watch.stop()
        for request in self.boundary.waiting.left():
            self.report.reject(request, "the run is ending")
        self.report.emit(kind, **fields)
        self.report.publish("finished", time_left=0.0)
        self.travel.close()
        self.report.recorder.close()


def begin(loop: SteeredLoop, host: OwnHost, config: RunConfig, start: Start, evaluate: Evaluate) -> Begun:
    """Write the first event of this session; from here on the run is there.

    Raises OSError, and UserError where a run that is resumed cannot be.
    """
    own_files.check(host.run)
    own_files.sweep(host.run)
    if isinstance(loop, DrivenLoop):
        _check_start(loop.driver, start)
    else:
        _bring_to_start(loop, host, start)
    events, next_seq = run_directory.repair(host.run)
    begun = _begin_again if events else _begin_new
    made = begun(loop, host, start, config, events, next_seq, evaluate)
    for index, command in enumerate(start.requests):
        host.inbox.put(Request(id=f"resume-{next_seq}-{index}", origin="resume", command=command))
    for why in _unregistered(loop) if not isinstance(loop, DrivenLoop) else ():
        made.report.emit(Warned, why=why)
    made.report.patient = True
    host.report = made.report
    return made


def _check_start(driver: Driver, start: Start) -> None:
    if start.resume or start.begins_with:
        driver.refuse_start("replaying it" if start.begins_with else "resuming it")


def _bring_to_start(loop: SteeredLoop, host: OwnHost, start: Start) -> None:
    if start.begins_with:
        loop.bring_back(_origin_of(Path(start.begins_with), loop))
    try_saving(host.run / "checkpoints", loop.state_dict())


def _begin_new(
    loop: SteeredLoop,
    host: OwnHost,
    start: Start,
    config: RunConfig,
    events: Sequence[AnyEvent],
    next_seq: int,
    evaluate: Evaluate,
) -> Begun:
    run_directory.write_meta(host.run, described(loop, config))
    report = Reporter(loop, run_directory.Recorder(host.run), host.early, host.outbox)
    report.emit(Started, **started(loop, host.run, config))
    travel = _travel(loop, report, config, events)
    if not isinstance(travel, OneWay):
        travel.save_named(ORIGIN)
    boundary = Boundary(loop, report, travel, script.Script(config.commands), host.inbox, evaluate)
    return Begun(boundary, report, travel)


def _begin_again(
    loop: SteeredLoop,
    host: OwnHost,
    start: Start,
    config: RunConfig,
    events: Sequence[AnyEvent],
    next_seq: int,
    evaluate: Evaluate,
) -> Begun:
    run_directory.add_session(host.run, session_facts(loop.device, "auto"))
    rows = run_directory.count_rows(host.run)
    recorder = run_directory.Recorder(host.run, next_seq=next_seq, rows=rows)
    report = Reporter(loop, recorder, host.early, host.outbox)
    report.led = branches.lineages(events)
    travel = _travel(loop, report, config, events)
    damaged = resume_point.unread(events)
    found = (
        _state_to_verify(host.run)
        if start.verify
        else resume_point.last_sound(host.run / "checkpoints", events, report.led, damaged)
    )
    # Killed before the first was written: it begins as the script does.
    fresh = cast(Kept, {**loop.state_dict(), "branch": 0, "seconds": 0.0, "best_file": ""})
    state, best, path = found or (fresh, None, None)
    resume_point.go_on(travel, (state, best), resume_point.to_come(report.led, state), path)
    file = f"checkpoints/{path.name}" if path is not None else ""
    report.emit(ResumedRun, **started(loop, host.run, config), checkpoint=file)
    if path is None:
        travel.save_named(ORIGIN)
    for why in damaged:
        report.emit(Warned, why=why)
    left = script.Script(config.commands, spent=branches.spent(events))
    return Begun(Boundary(loop, report, travel, left, host.inbox, evaluate), report, travel)


def _state_to_verify(run: Path) -> tuple[Kept, None, Path]:
    """Raises UserError where it is not there."""
    path = checkpoint_names.find(run, CHECKPOINT)
    return schema.load(path), None, path


def _travel(loop: SteeredLoop, report: Reporter, config: RunConfig, events: Sequence[AnyEvent]) -> Travel:
    run = report.recorder.path
    saver = Saver(run, config.checkpoint, written_before(events))
    rest = report, saver, UndoStack(run), branches.forks(events)
    return OneWay(loop, *rest) if isinstance(loop, DrivenLoop) else Travel(loop, *rest)


def _origin_of(run: Path, loop: SteeredLoop) -> Any:
    state = schema.load(checkpoint_names.find(run, ORIGIN))
    if state["position"]["step"] or "objects" not in state:
        raise UserError(
            f"{run}: its checkpoint {ORIGIN} is not that of its beginning, so it cannot be replayed"
        )
    loop.registered.check(state)  # type: ignore[arg-type]
    return state


def _parameters(loop: SteeredLoop) -> int:
    return sum({id(p): p.numel() for p in loop.registered.parameters()}.values())


def started(loop: SteeredLoop, run: Path, config: RunConfig) -> dict[str, Any]:
    """What the first event of a session says."""
    return {
        "run": run.name,
        "preset": _label(config),
        "seed": config.seed,
        "device": str(loop.device),
        "threads": torch.get_num_threads(),
        "parameters": _parameters(loop),
        "sizes": {},
    }


def _label(config: RunConfig) -> str:
    from trainconsole.engine.runs.scripts import label

    return label(config.script) if config.script is not None else "script"


def described(loop: SteeredLoop, config: RunConfig, task: str = "own") -> dict[str, Any]:
    """What meta.json says of a run that starts now."""
    command = config.script.command if config.script is not None else ()
    return {
        "format": run_directory.FORMAT,
        "preset": _label(config),
        "versions": {name: version(name) for name in ("trainconsole", "torch", "numpy")}
        | {"python": platform.python_version()},
        "seed": config.seed,
        "device": str(loop.device),
        "task": task,
        "metric": "loss",
        "maximised": False,
        "batch_metric": METRIC,
        "parameters": _parameters(loop),
        "in_force": loop.in_force().values(),
        "command_line": list(command) or list(sys.argv),
        "rows": metric_rows.described(),
        "sessions": [session_facts(loop.device, "auto")],
    }


def _unregistered(loop: SteeredLoop) -> list[str]:
    """An average of the weights that is alive and would not go back with them."""
    known = {id(module) for module in loop.registered.modules.values()}
    # isinstance() would wake what torch imports late.
    alive = (one for one in gc.get_objects() if issubclass(type(one), AveragedModel))
    if all(id(one) in known for one in alive):
        return []
    return ["an AveragedModel is not registered, so undo and resume leave it as it is: attach(..., ema=it)"]
