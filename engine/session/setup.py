"""Set-up of a run: torch, data, model and trainer; then its first event."""

import gc
from collections.abc import Callable, Sequence

from trainconsole.engine.boundary.command_queue import Inbox
from trainconsole.engine.checkpoints.retention import written_before
from trainconsole.engine.checkpoints.undo_stack import UndoStack
from trainconsole.engine.checkpoints.writer import Saver
from trainconsole.engine.checks import last_batch, model_outputs, trial_step
from trainconsole.engine.checks.trial_checkpoint import try_saving
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config import limits, tasks
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.data import load as data
from trainconsole.engine.data import row_hashes
from trainconsole.engine.data.load import Data
from trainconsole.engine.protocol import script
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.events import AnyEvent, ResumedRun, Started, Warned
from trainconsole.engine.protocol.status import Stage, Status
from trainconsole.engine.record import own_files, run_directory
from trainconsole.engine.reporting.reporter import Outbox, Reporter
from trainconsole.engine.rewind import resume_point
from trainconsole.engine.rewind.restore_points import origin
from trainconsole.engine.rewind.rewind import Travel
from trainconsole.engine.runs import branches, fingerprints
from trainconsole.engine.runs.launch import Launch
from trainconsole.engine.session import initial_weights
from trainconsole.engine.session.description import describe, differences, session, started
from trainconsole.engine.session.exactness import choose_device, make_exact, slow_precision
from trainconsole.engine.session.loop import Loop
from trainconsole.engine.steering.nonfinite_updates import passed
from trainconsole.engine.steering.steered_trainer import SteeredTrainer
from trainconsole.engine.training import construction, watched_metric


def set_up(launch: Launch, stage: Callable[[Stage], None], *, trains: bool = True) -> SteeredTrainer:
    """A trainer at step 0. Raises UserError where config, data and model do not go together.

    One that `trains` has tried a step; see checks/trial_step.py.
    """
    device = choose_device(launch.device)
    make_exact(launch.threads)
    stage("loading data")
    config = launch.config
    begin = initial_weights.taken(launch.path, config)
    loaded = data.load(config.data, config.seed, launch.data_dir, device, initial_weights.seen(begin))
    check_fit(config, loaded)
    trainer = SteeredTrainer(config, loaded, device, begin)
    if trains:
        untried = trial_step.check_first(trainer)
        last_batch.check_batches(trainer, config.batch_size)
        trainer.told = (untried, *model_outputs.look(trainer))
    gc.collect()
    gc.freeze()
    return trainer


def check_fit(config: RunConfig, loaded: Data) -> None:
    """Metrics, augmentation, lengths and scripted steps that the data does not allow. Raises UserError."""
    limits.check(config, loaded.epoch_size)
    known = tasks.METRICS[loaded.task]
    stated = {
        "evaluation.metric": config.evaluation.metric,
        "early_stopping.metric": config.early_stopping.metric,
        "schedule.metric": getattr(config.schedule, "metric", None),
    }
    for place, metric in stated.items():
        if metric is not None and metric not in known:
            raise UserError(f"{place}: '{metric}' is not measured in {loaded.task}; {', '.join(known)} are")
        if metric is not None and loaded.val is None and metric not in (known[0], "loss"):
            raise UserError(
                f"{place}: '{metric}' is measured on validation data, and there is none;"
                " set data.split.validation"
            )
    if reason := watched_metric.conflict(config):
        raise UserError(reason)
    if config.regularisation.augment and not loaded.images:
        raise UserError("regularisation.augment: augmentation is for images, and this data has none")
    script.check_steps(config, loaded.epoch_size)


def begin(
    trainer: SteeredTrainer, launch: Launch, status: Status, outbox: Outbox, inbox: Inbox
) -> tuple[Loop, Reporter]:
    """Write meta.json and the first event of this session; from here on the run is there.

    Raises OSError, and UserError where a run that is resumed cannot be.
    """
    own_files.check(launch.path)
    own_files.sweep(launch.path)
    try_saving(launch.path / "checkpoints", trainer.state_dict())
    events, next_seq = run_directory.repair(launch.path)
    if events:
        loop, report = _begin_again(trainer, launch, events, next_seq, status, outbox, inbox)
    else:
        loop, report = _begin_new(trainer, launch, status, outbox, inbox)
    report.patient = True
    return loop, report


def _begin_new(
    trainer: SteeredTrainer, launch: Launch, status: Status, outbox: Outbox, inbox: Inbox
) -> tuple[Loop, Reporter]:
    run_directory.write_meta(launch.path, describe(trainer, launch))
    report = Reporter(trainer, run_directory.Recorder(launch.path), status, outbox)
    report.emit(Started, **started(trainer, launch))
    repeats = fingerprints.changed(launch.repeats, trainer.data.prints) if launch.repeats else ""
    if repeats:
        report.emit(Warned, why=f"{repeats} is not what it was in the run that is repeated")
    row_hashes.write(launch.path, trainer.data.keys, initial_weights.seen(trainer.initial))
    unprepared = construction.unprepared(trainer.config, trainer.data)
    begun = (*launch.said, *initial_weights.differences(trainer.initial, trainer.data), unprepared)
    told = (trainer.data.warning, *trainer.data.not_finite, trainer.data.exact, *trainer.told)
    full = limits.full_batch(trainer.config, trainer.data.epoch_size)
    for why in (*begun, *told, full, slow_precision(trainer.config, trainer.device)):
        if why:
            report.emit(Warned, why=why)
    travel = _travel(trainer, report, launch, [])
    return Loop(trainer, report, travel, script.Script(trainer.config.commands), inbox), report


def _begin_again(
    trainer: SteeredTrainer,
    launch: Launch,
    events: Sequence[AnyEvent],
    next_seq: int,
    status: Status,
    outbox: Outbox,
    inbox: Inbox,
) -> tuple[Loop, Reporter]:
    meta = run_directory.read_meta(launch.path)
    differs = [*differences(meta, trainer, launch)]
    run_directory.add_session(launch.path, session(trainer, launch))
    rows = run_directory.count_rows(launch.path)
    recorder = run_directory.Recorder(launch.path, next_seq=next_seq, rows=rows)
    report = Reporter(trainer, recorder, status, outbox)
    report.led = branches.lineages(events)
    travel = _travel(trainer, report, launch, events)
    damaged = resume_point.unread(events)
    found = resume_point.last_sound(launch.path / "checkpoints", events, report.led, damaged)
    state, best, path = found if found is not None else (origin(trainer), None, None)
    pending = resume_point.to_come(report.led, state)
    past = passed(state, pending, f"resume-{len(meta.sessions)}-past")
    resume_point.go_on(travel, (state, best), past, path)
    checkpoint_name = None if path is None else f"checkpoints/{path.name}"
    report.emit(ResumedRun, **started(trainer, launch), checkpoint=checkpoint_name)
    for why in (*damaged, *differs):
        report.emit(Warned, why=why)
    for index, command in enumerate(launch.requests):
        inbox.put(Request(id=f"resume-{len(meta.sessions)}-{index}", origin="resume", command=command))
    left = script.Script(trainer.config.commands, spent=branches.spent(events))
    return Loop(trainer, report, travel, left, inbox), report


def _travel(trainer: SteeredTrainer, report: Reporter, launch: Launch, events: Sequence[AnyEvent]) -> Travel:
    saver = Saver(launch.path, trainer.config.checkpoint, written_before(events))
    return Travel(trainer, report, saver, UndoStack(launch.path), branches.forks(events))
