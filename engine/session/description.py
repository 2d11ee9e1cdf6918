"""What a run is, for meta.json and the first event; and what is not as in the session before."""

import platform
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec
import torch

from trainconsole.engine.config import tasks
from trainconsole.engine.models import build
from trainconsole.engine.protocol.events import Layer
from trainconsole.engine.record import metric_rows, run_directory
from trainconsole.engine.record.meta import RunMeta
from trainconsole.engine.runs import fingerprints
from trainconsole.engine.runs.launch import Launch
from trainconsole.engine.steering import covers
from trainconsole.engine.training.trainer import Trainer


def started(trainer: Trainer, launch: Launch) -> dict[str, Any]:
    """The fields of the `started` event."""
    return {
        "run": launch.path.name,
        "preset": launch.preset,
        "seed": trainer.config.seed,
        "device": str(trainer.device),
        "threads": torch.get_num_threads(),
        "parameters": build.parameter_count(trainer.whole),
        "sizes": trainer.data.sizes,
        "layers": layers(trainer),
        "note": trainer.data.note,
        "data": (*trainer.data.said, *_only_trained(trainer)),
    }


def _only_trained(trainer: Trainer) -> tuple[str, ...]:
    smoothing = trainer.config.regularisation.label_smoothing
    weighted = trainer.loss.class_weights is not None
    drawn = covers.of_draws(trainer.config.data.balance)
    return (*covers.of_train_loss(smoothing, weighted=weighted), *drawn)


def layers(trainer: Trainer) -> tuple[Layer, ...]:
    """Those of the model, and the loss where it has parameters."""
    table = build.layer_table(trainer.model, trainer.data.input_shape)
    if module := trainer.loss.module:
        count = build.parameter_count(module)
        table += [Layer(name="loss", kind=type(module).__name__, shape=(), parameters=count)] if count else []
    return tuple(table)


def describe(trainer: Trainer, launch: Launch) -> dict[str, Any]:
    """What meta.json says of a run that starts now."""
    loaded = trainer.data
    return {
        "format": run_directory.FORMAT,
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
            **loaded.prints,
            "sizes": loaded.sizes,
            "class_counts": loaded.class_counts,
            "classes": loaded.classes,
            "note": loaded.note,
            "said": loaded.said,
        },
        "parameters": build.parameter_count(trainer.whole),
        "layers": msgspec.to_builtins(layers(trainer)),
        "command_line": launch.command_line,
        "data_dir": str(launch.data_dir.absolute()),
        "rows": metric_rows.described(),
        "sessions": [session(trainer, launch)],
    }


def session(trainer: Trainer, launch: Launch) -> dict[str, Any]:
    """One entry of meta.json's `sessions`."""
    return session_facts(trainer.device, launch.device)


def session_facts(device: torch.device, asked: str) -> dict[str, Any]:
    """The same of any run on `device`."""
    return {
        "start": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "device": str(device),
        "asked_device": asked,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "machine": platform.machine(),
    }


def differences(meta: RunMeta, trainer: Trainer, launch: Launch) -> Iterator[str]:
    """What is not as it was in the session before, and may change the last bits of the weights."""
    if not meta.begun:
        yield "meta.json does not say how the run was trained: whether the rest of it is exact cannot be told"
        return
    before, now = meta.last, session(trainer, launch)
    changed = [
        f"{key} {getattr(before, key)} -> {now[key]}"
        for key in ("torch", "device", "threads", "machine")
        if getattr(before, key) != now[key]
    ]
    if changed:
        yield f"not as in the session before, so not exact: {', '.join(changed)}"
    if data := fingerprints.changed(meta.data.prints, trainer.data.prints):
        yield f"{data} is not what it was when the run started: the rest of the run is not exact"
