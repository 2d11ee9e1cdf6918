"""Mirroring a run, here or in a process that is killed, and reading TensorBoard's files back."""

import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from support.process import environment
from trainconsole.engine.mirror import follow, targets

Points = dict[str, list[tuple[int, float | None]]]


def mirrored(run: Path, to: Path | str, *, follows: bool = False) -> follow.Mirrored:
    """To a folder for TensorBoard, or what --to says."""
    place = targets.where(to if isinstance(to, str) else f"tensorboard:{to}")
    return follow.mirror(run, [partial(targets.opened, place)], follows=follows)


def killed(arguments: list[str], parts: Iterator[Callable[[], None]], cwd: Path, *, least: float) -> int:
    """Eight mirrors, each killed after `least` seconds or a little more while the run goes through `parts`;
    how many of them were at work. What they had started themselves has gone too."""
    dice, count = random.Random(7), 0
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-m", "trainconsole.tui", *arguments],
            cwd=cwd,
            env=environment(),
            stderr=subprocess.DEVNULL,
        )
        began = time.monotonic()
        try:
            for part, _ in zip(parts, range(12), strict=False):
                part()
                time.sleep(dice.random() * least / 8)
            time.sleep(max(0.0, least + dice.random() - (time.monotonic() - began)))
        finally:
            count += child.poll() is None
            helpers = psutil.Process(child.pid).children(recursive=True) if child.poll() is None else []
            child.kill()
            child.wait(30)
            for helper in psutil.wait_procs(helpers, timeout=30)[1]:
                helper.kill()
    for part in parts:
        part()
    return count


def read(folder: Path, run: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder / run.name), size_guidance={"scalars": 0, "tensors": 0})
    reader.Reload()
    return reader


def points(folder: Path, run: Path) -> Points:
    """(step, value as float32) by tag; NaN as None."""
    reader = read(folder, run)
    return {
        tag: [
            (e.step, None if np.isnan(e.value) else float(np.float32(e.value))) for e in reader.Scalars(tag)
        ]
        for tag in reader.Tags()["scalars"]
    }


def texts(folder: Path, run: Path, tag: str) -> list[tuple[int, str]]:
    events = read(folder, run).Tensors(f"{tag}/text_summary")
    return [(event.step, event.tensor_proto.string_val[0].decode()) for event in events]


def event_file(folder: Path, run: Path) -> Path:
    (file,) = (folder / run.name).iterdir()
    return file


def records(file: Path) -> list[str]:
    """What a mirror that looks once and one that looks often have in common: not the order of records that
    do not depend on each other, nor the time of own numbers."""
    from tensorboard.compat.proto.event_pb2 import Event

    data, found = file.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        event.wall_time = 0 if " own " in event.source_metadata.writer else event.wall_time
        found.append(str(event))
        data = data[16 + length :]
    return sorted(found)
