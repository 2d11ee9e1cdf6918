"""The first step of a script that is watched: which process it is, and the record that is opened."""

from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from torch.utils.data import get_worker_info

from trainconsole.engine.attach.beginning import Begun, described, started
from trainconsole.engine.attach.host import OwnHost
from trainconsole.engine.checkpoints.undo_stack import UndoStack
from trainconsole.engine.checkpoints.writer import Saver
from trainconsole.engine.common import environment
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.protocol import script
from trainconsole.engine.protocol.events import Started
from trainconsole.engine.protocol.status import Stage
from trainconsole.engine.record import lock, run_directory
from trainconsole.engine.record.meta import UNCHANGED
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.runs import scripts
from trainconsole.engine.unchanged.boundary import NoWayBack, WatchedBoundary
from trainconsole.engine.unchanged.loop import WatchedLoop


@dataclass(frozen=True)
class Outside(Begun):
    """What serves the boundaries of a script that is watched from outside."""

    boundary: WatchedBoundary


def claimed() -> Path | None:
    """The run that this process is the one to train, from now on; None where there is none, or another
    process has it. Raises UserError."""
    start = scripts.offered()
    if start is None or start.resume or start.begins_with or start.verify:
        return None
    run = Path(start.path)
    taken = not run.is_dir() or (run / "events.jsonl").exists() or lock.is_held(run)
    if taken or get_worker_info() is not None or not environment.is_first():
        return None
    scripts.given()
    return run


def begin(loop: WatchedLoop, host: OwnHost, config: RunConfig) -> Outside:
    """Write the first event. Raises OSError."""
    run_directory.write_meta(host.run, described(loop, config, UNCHANGED))
    report = Reporter(loop, run_directory.Recorder(host.run), host.early, host.outbox)
    report.emit(Started, **started(loop, host.run, config))
    saver = Saver(host.run, replace(config.checkpoint, step_seconds=float("inf")))
    travel = NoWayBack(loop, report, saver, UndoStack(host.run), {})
    scripted = script.Script(config.commands)
    boundary = WatchedBoundary(loop, report, travel, scripted, host.inbox, _no_evaluation)
    boundary.loop = loop
    host.report = report
    report.patient = True
    report.publish("training", in_force=loop.in_force())
    report.watch.start()
    return Outside(boundary, report, travel)


def _no_evaluation(stop: object, then: Stage) -> None:
    """It is refused before."""
