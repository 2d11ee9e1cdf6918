"""A recorded run as a recipe: its config with its lineage as scripted commands, and what it must come to.

No torch.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import RunConfig, Scripted
from trainconsole.engine.protocol.events import AnyEvent, Branched, CheckpointSaved, Finished, Lineage, Unread
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.meta import UNCHANGED, DeviceName
from trainconsole.engine.record.metric_rows import Rows
from trainconsole.engine.runs import branches, fingerprints, scripts
from trainconsole.engine.runs.launch import default_threads
from trainconsole.engine.runs.lineages import Lineages, texts
from trainconsole.engine.runs.source_run import WEIGHTS

MOST_TOLD = 3
"""Lines that cannot be read which are named one by one."""


class Recipe(Struct, frozen=True, kw_only=True):
    """`config` repeats the run on `threads` threads of `device`; its weights are then `weights_sha256`.

    `data` is what its meta.json says of the data; `warnings` say what of the record could not be read, and
    what follows from it.
    """

    config: RunConfig
    weights_sha256: str
    last_step: int
    threads: int
    device: DeviceName
    data_dir: Path
    preset: str
    data: dict[str, Any]
    warnings: tuple[str, ...] = ()


def recipe(path: Path) -> Recipe:
    """How to repeat the run at `path`: to its end, or where it was interrupted to its last checkpoint.

    Raises UserError where there is nothing to repeat yet, or not all that led to its weights can be read.
    """
    config, meta = run_directory.read_config(path), run_directory.read_meta(path)
    if meta.task == UNCHANGED:
        raise UserError(f"{path.name} cannot be replayed: {scripts.WAYS_BACK}")
    scripts.check_again(config)
    events = run_directory.read_events(path)[0]
    unread = [event for event in events if isinstance(event, Unread)]
    led = branches.lineages(events)
    target = _target(events, led)
    if target is None and unread:
        raise UserError(
            f"{path / 'events.jsonl'}: {unread[0].why}\nWhat led to the weights of this run is not all known."
        )
    if target is None or not meta.begun:
        raise UserError(f"{path}: no weights were saved yet, so there is nothing to replay")
    lineage = target.lineage
    if isinstance(target, CheckpointSaved):
        lineage = (*_led_to(target, led), (target.step, "stop last"))
    if (path / WEIGHTS).is_file():
        config = replace(config, model=replace(config.model, init_from=str((path / WEIGHTS).absolute())))
    commands = tuple(Scripted(when=f"step {step}", what=command) for step, command in lineage)
    threads = meta.last.threads or default_threads(config)
    return Recipe(
        config=replace(config, commands=commands, threads=threads),
        weights_sha256=target.weights_sha256,
        last_step=target.step,
        threads=threads,
        device=next((name for name in get_args(DeviceName) if name == meta.last.device), "auto"),
        data_dir=Path(meta.data_dir),
        preset=meta.preset or path.name,
        data=meta.data.prints,
        warnings=_warnings(unread, target),
    )


def unattended(config: RunConfig) -> RunConfig:
    """Nobody is there who could go on: a pause that the lineage does not end is a failure."""
    return replace(config, on_nonfinite="fail") if config.on_nonfinite == "pause" else config


def _warnings(unread: Sequence[Unread], target: Finished | CheckpointSaved) -> tuple[str, ...]:
    """Of what could not be read, and how far the run can be repeated all the same."""
    found = tuple(event.why for event in unread[:MOST_TOLD])
    if len(unread) > MOST_TOLD:
        found = (*found, f"{len(unread) - MOST_TOLD} more lines cannot be read")
    if isinstance(target, CheckpointSaved) and any(event.leads for event in unread):
        found = (*found, f"it may be a command, so the run is repeated up to step {target.step} only")
    return found


def _target(events: Sequence[AnyEvent], led: Lineages) -> Finished | CheckpointSaved | None:
    """The end of the run; where it has none, or was resumed after it, the newest checkpoint in force of which
    all that led to it is known."""
    since = next((e.seq for e in reversed(events) if isinstance(e, Branched)), -1)
    ends = [event for event in events if isinstance(event, Finished) and event.seq > since]
    if ends:
        return ends[-1]
    limits = dict(branches.chain(branches.forks(events), branches.live(events)))
    gap = next((event.seq for event in events if isinstance(event, Unread) and event.leads), math.inf)
    saved = [
        event
        for event in events
        if isinstance(event, CheckpointSaved)
        and event.kind == "last"
        and event.step <= limits.get(event.branch, -1)
        and (event.seq < gap or event.kept is None)
    ]
    saved.sort(key=lambda event: (event.step, event.seq), reverse=True)
    known = texts((*led.of(led.branch), *led.waiting))
    for event in saved:
        lineage = _led_to(event, led)
        if event.seq > gap or lineage == known[: len(lineage)]:
            return event
    return None


def _led_to(saved: CheckpointSaved, led: Lineages) -> Lineage:
    """What led to a checkpoint."""
    return (*texts(led.of(saved.branch, saved.kept or 0)), *saved.lineage)


def compare(original: Path, again: Path, wanted: Recipe) -> tuple[bool, str]:
    """Whether the run at `again` came to the same weights, and a sentence that says so or where they part."""
    end = next(e for e in reversed(run_directory.read_events(again)[0]) if isinstance(e, Finished))
    if end.weights_sha256 == wanted.weights_sha256:
        return True, f"identical: sha256 {end.weights_sha256}"
    first, second = (curve(path, wanted.last_step) for path in (original, again))
    data = fingerprints.changed(wanted.data, run_directory.read_meta(again).data.prints)
    return False, (f"{data} is not what it was in {original.name}\n" if data else "") + parting(first, second)


def curve(path: Path, last_step: int) -> Rows:
    """The rows in force up to `last_step`."""
    rows = branches.in_force(run_directory.read_rows(path), run_directory.read_events(path)[0])
    return rows[rows["step"] <= last_step]


def parting(first: Rows, second: Rows) -> str:
    """The first step at which loss, metric or rate of two curves differ in any bit, and by how much."""
    both = min(len(first), len(second))
    apart = [
        (int(rows[0]), name)
        for name in ("lr", "loss", "metric")
        if len(rows := np.flatnonzero(first[name][:both].view("<u4") != second[name][:both].view("<u4")))
    ]
    if apart:
        at, name = min(apart, key=lambda found: found[0])
        a, b = float(first[name][at]), float(second[name][at])
        return (
            f"different: the curves part at step {int(first['step'][at])},"
            f" {name} {a:.9g} and {b:.9g}, {abs(a - b):.3g} apart"
        )
    if len(first) != len(second):
        return f"different: {len(first)} steps and {len(second)}, the same as far as both go"
    return "different weights, although the curves are the same at every step"
