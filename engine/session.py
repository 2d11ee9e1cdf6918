"""Set-up of a run: torch, data, model and trainer, and meta.json that says what they are."""

import gc
import platform
import socket
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import torch

from trainconsole.engine import checkpoint, data, history, models, record, script, tasks
from trainconsole.engine.checkpoint import State
from trainconsole.engine.config import RunConfig
from trainconsole.engine.data import Data
from trainconsole.engine.errors import UserError
from trainconsole.engine.launch import Launch
from trainconsole.engine.loop import Inbox, Loop
from trainconsole.engine.messages import Layer, Stage, Started, Status, Warned
from trainconsole.engine.reporter import Outbox, Reporter
from trainconsole.engine.saver import Saver
from trainconsole.engine.trainer import Trainer


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
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling every fresh tensor with NaN is for finding bugs and costs time at each allocation.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")


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
        "rows": history.described(),
        "sessions": [session(trainer)],
    }


def session(trainer: Trainer) -> dict[str, Any]:
    """One entry of meta.json's `sessions`."""
    return {
        "start": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "device": str(trainer.device),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "machine": platform.machine(),
    }


def begin(
    trainer: Trainer, launch: Launch, status: Status, outbox: Outbox, inbox: Inbox
) -> tuple[Loop, Reporter]:
    """Write meta.json and the `started` event; from here on the run is there. Raises OSError."""
    record.write_meta(launch.path, describe(trainer, launch))
    recorder = record.Recorder(launch.path)
    report = Reporter(trainer, recorder, status, outbox)
    report.emit(Started, **started(trainer, launch))
    for why in (trainer.data.warning, trainer.data.exact):
        if why:
            report.emit(Warned, why=why)
    script_left = script.Script(trainer.config.commands)
    return Loop(trainer, report, Saver(launch.path), script_left, inbox), report
