"""Set-up of a run: torch, data, model and trainer, and meta.json that says what they are."""

import gc
import platform
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import torch

from trainconsole.engine import branches, checkpoint, data, history, models, record, script, tasks
from trainconsole.engine.branches import Fork
from trainconsole.engine.checkpoint import State
from trainconsole.engine.config import RunConfig
from trainconsole.engine.data import Data
from trainconsole.engine.errors import UserError
from trainconsole.engine.launch import Launch
from trainconsole.engine.loop import Inbox, Loop
from trainconsole.engine.messages import AnyEvent, Layer, Request, ResumedRun, Stage, Started, Status, Warned
from trainconsole.engine.reporter import Outbox, Reporter
from trainconsole.engine.saver import Saver
from trainconsole.engine.trainer import Trainer
from trainconsole.engine.travel import Travel, on_chain, origin, soundest
from trainconsole.engine.undo import UndoStack


def set_up(launch: Launch, stage: Callable[[Stage], None]) -> Trainer:
    """A trainer at step 0. Raises UserError where config, data and model do not go together."""
    device = choose_device(launch.device)
    make_exact(launch.threads)
    stage("loading data")
    config = launch.config
    loaded = data.load(config.data, config.seed, launch.data_dir, device)
    check_fit(config, loaded)
    trainer = Trainer(config, loaded, device, initial_weights(config))
    gc.collect()
    gc.freeze()
    return trainer


def choose_device(name: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU. Raises UserError where `name` is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    if not there[name]:
        present = ", ".join(kind for kind in there if there[kind])
        raise UserError(f"--device {name}: this machine has none that torch can use; there is: {present}")
    return torch.device(name)


def make_exact(threads: int) -> None:
    """Threads set, deterministic algorithms where there are any, kernels never chosen by timing."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False
    # The same flags as use_deterministic_algorithms(True, warn_only=True), which takes a second to import
    # a compiler that is not used.
    torch.set_deterministic_debug_mode("warn")
    # Filling every fresh tensor with NaN is for finding bugs and costs time at each allocation.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")


def slow_precision(config: RunConfig, device: torch.device) -> str:
    """What to say of a precision that the processor has no instructions for; "" where it has."""
    if config.precision == "float32" or device.type != "cpu":
        return ""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return ""
    supported = {
        "bfloat16": torch.ops.mkldnn._is_mkldnn_bf16_supported,
        "float16": torch.ops.mkldnn._is_mkldnn_fp16_supported,
    }
    if supported[config.precision]():
        return ""
    return (
        f"precision {config.precision}: this processor has no instructions for it, and a step may take ten"
        " times as long as in float32; --set precision=float32"
    )


def check_fit(config: RunConfig, loaded: Data) -> None:
    """Metrics, augmentation and scripted steps that the data does not allow. Raises UserError."""
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
    if config.regularisation.augment and not loaded.images:
        raise UserError("regularisation.augment: augmentation is for images, and this data has none")
    script.check_steps(config, loaded.epoch_size)


def initial_weights(config: RunConfig) -> State | None:
    """The checkpoint that model.init_from names: the best of that run, else its last. Raises UserError."""
    if config.model.init_from is None:
        return None
    folder = Path(config.model.init_from) / "checkpoints"
    found = [folder / name for name in ("best.pt", "last.pt") if (folder / name).exists()]
    if not found:
        raise UserError(f"model.init_from: {folder.parent} has no checkpoint")
    return checkpoint.load(found[0])


def started(trainer: Trainer, launch: Launch) -> dict[str, Any]:
    """The fields of the `started` event."""
    return {
        "run": launch.path.name,
        "preset": launch.preset,
        "seed": trainer.config.seed,
        "device": str(trainer.device),
        "threads": torch.get_num_threads(),
        "parameters": models.parameter_count(trainer.model),
        "sizes": trainer.data.sizes,
        "layers": layers(trainer),
        "note": trainer.data.note,
    }


def layers(trainer: Trainer) -> tuple[Layer, ...]:
    return tuple(models.layer_table(trainer.model, trainer.data.input_shape))


def describe(trainer: Trainer, launch: Launch) -> dict[str, Any]:
    """What meta.json says of a run that starts now."""
    loaded = trainer.data
    return {
        "format": record.FORMAT,
        "preset": launch.preset,
        "versions": {name: version(name) for name in ("trainconsole", "torch", "torchvision", "numpy")}
        | {"python": platform.python_version()},
        "seed": trainer.config.seed,
        "device": str(trainer.device),
        "task": loaded.task,
        "metric": trainer.metric,
        "maximised": tasks.maximised(trainer.metric),
        "batch_metric": tasks.METRICS[loaded.task][0],
        "data": {
            "fingerprint": loaded.fingerprint,
            "sizes": loaded.sizes,
            "class_counts": loaded.class_counts,
            "classes": loaded.classes,
            "note": loaded.note,
        },
        "parameters": models.parameter_count(trainer.model),
        "layers": msgspec.to_builtins(layers(trainer)),
        "command_line": launch.command_line,
        "data_dir": str(launch.data_dir.absolute()),
        "rows": history.described(),
        "sessions": [session(trainer, launch)],
    }


def session(trainer: Trainer, launch: Launch) -> dict[str, Any]:
    """One entry of meta.json's `sessions`."""
    return {
        "start": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "device": str(trainer.device),
        "asked_device": launch.device,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "machine": platform.machine(),
    }


def begin(
    trainer: Trainer, launch: Launch, status: Status, outbox: Outbox, inbox: Inbox
) -> tuple[Loop, Reporter]:
    """Write meta.json and the first event of this session; from here on the run is there.

    Raises OSError, and UserError where a run that is resumed cannot be.
    """
    events = record.repair(launch.path)
    if not any(isinstance(event, Started) for event in events):
        return _begin_new(trainer, launch, status, outbox, inbox)
    return _begin_again(trainer, launch, events, status, outbox, inbox)


def _begin_new(
    trainer: Trainer, launch: Launch, status: Status, outbox: Outbox, inbox: Inbox
) -> tuple[Loop, Reporter]:
    record.write_meta(launch.path, describe(trainer, launch))
    report = Reporter(trainer, record.Recorder(launch.path), status, outbox)
    report.emit(Started, **started(trainer, launch))
    for why in (trainer.data.warning, trainer.data.exact, slow_precision(trainer.config, trainer.device)):
        if why:
            report.emit(Warned, why=why)
    travel = _travel(trainer, report, launch, branches.forks([]))
    return Loop(trainer, report, travel, script.Script(trainer.config.commands), inbox), report


def _begin_again(
    trainer: Trainer,
    launch: Launch,
    events: Sequence[AnyEvent],
    status: Status,
    outbox: Outbox,
    inbox: Inbox,
) -> tuple[Loop, Reporter]:
    meta = record.read_meta(launch.path)
    differs = [*differences(meta, trainer, launch)]
    record.write_meta(launch.path, {**meta, "sessions": [*meta["sessions"], session(trainer, launch)]})
    recorder = record.Recorder(launch.path, next_seq=events[-1].seq + 1, rows=record.count_rows(launch.path))
    report = Reporter(trainer, recorder, status, outbox)
    forks, lineage = branches.forks(events), branches.lineage(events)
    travel = _travel(trainer, report, launch, forks)
    damaged: list[str] = []
    files = on_chain(launch.path / "checkpoints", forks, max(forks), 2**62)
    found = soundest(files, list(lineage), damaged)
    state, best, path = found if found is not None else (origin(trainer), None, None)
    travel.resume(state, best, lineage[len(state["lineage"]) :])
    checkpoint_name = None if path is None else f"checkpoints/{path.name}"
    report.emit(ResumedRun, **started(trainer, launch), checkpoint=checkpoint_name)
    for why in (*damaged, *differs):
        report.emit(Warned, why=why)
    for index, command in enumerate(launch.requests):
        inbox.put(Request(id=f"resume-{len(meta['sessions'])}-{index}", origin="resume", command=command))
    left = script.Script(trainer.config.commands, spent=branches.spent(events))
    return Loop(trainer, report, travel, left, inbox), report


def _travel(trainer: Trainer, report: Reporter, launch: Launch, forks: dict[int, Fork]) -> Travel:
    saver = Saver(launch.path, trainer.config.checkpoint)
    return Travel(trainer, report, saver, UndoStack(launch.path), forks)


def differences(meta: dict[str, Any], trainer: Trainer, launch: Launch) -> Iterator[str]:
    """What is not as it was in the session before, and may change the last bits of the weights."""
    before, now = meta["sessions"][-1], session(trainer, launch)
    changed = [
        f"{key} {before.get(key)} -> {now[key]}"
        for key in ("torch", "device", "threads", "machine")
        if before.get(key) != now[key]
    ]
    if changed:
        yield f"not as in the session before, so not exact: {', '.join(changed)}"
    if meta["data"]["fingerprint"] != trainer.data.fingerprint:
        yield "the data is not what it was when the run started: the rest of the run is not exact"
