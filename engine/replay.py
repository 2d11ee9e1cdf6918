"""A recorded run as a recipe: its config with its lineage as scripted commands, and what it must come to.

No torch.
"""

from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from trainconsole.engine import branches, record
from trainconsole.engine.config import RunConfig, Scripted
from trainconsole.engine.errors import UserError
from trainconsole.engine.history import Rows
from trainconsole.engine.launch import DeviceName
from trainconsole.engine.messages import AnyEvent, Branched, CheckpointSaved, Finished


class Recipe(Struct, frozen=True, kw_only=True):
    """`config` repeats the run on `threads` threads of `device`; its weights are then `weights_sha256`."""

    config: RunConfig
    weights_sha256: str
    last_step: int
    threads: int
    device: DeviceName
    data_dir: Path
    preset: str


def recipe(path: Path) -> Recipe:
    """How to repeat the run at `path`: to its end, or where it was interrupted to its last checkpoint.

    Raises UserError where there is nothing to repeat yet.
    """
    config, meta = record.read_config(path), record.read_meta(path)
    events = record.read_events(path)[0]
    target = _target(events)
    if target is None or not meta:
        raise UserError(f"{path}: no weights were saved yet, so there is nothing to replay")
    lineage = target.lineage
    if isinstance(target, CheckpointSaved):
        lineage = (*lineage, (target.step, "stop last"))
    last = meta["sessions"][-1]
    commands = tuple(Scripted(when=f"step {step}", what=command) for step, command in lineage)
    return Recipe(
        config=replace(config, commands=commands, threads=last["threads"]),
        weights_sha256=target.weights_sha256,
        last_step=target.step,
        threads=last["threads"],
        device=last["device"],
        data_dir=Path(meta["data_dir"]),
        preset=meta["preset"],
    )


def _target(events: list[AnyEvent]) -> Finished | CheckpointSaved | None:
    """The end of the run; where it has none, or was resumed after it, the newest checkpoint in force."""
    since = next((e.seq for e in reversed(events) if isinstance(e, Branched)), -1)
    ends = [event for event in events if isinstance(event, Finished) and event.seq > since]
    if ends:
        return ends[-1]
    limits = dict(branches.chain(branches.forks(events), branches.live(events)))
    known = [(step, command) for step, command, _ in branches.lineage(events)]
    saved = [
        event
        for event in events
        if isinstance(event, CheckpointSaved)
        and event.kind == "last"
        and event.step <= limits.get(event.branch, -1)
        and list(event.lineage) == known[: len(event.lineage)]
    ]
    return max(saved, key=lambda event: (event.step, event.seq), default=None)


def compare(original: Path, again: Path, wanted: Recipe) -> tuple[bool, str]:
    """Whether the run at `again` came to the same weights, and a sentence that says so or where they part."""
    end = next(e for e in reversed(record.read_events(again)[0]) if isinstance(e, Finished))
    if end.weights_sha256 == wanted.weights_sha256:
        return True, f"identical: sha256 {end.weights_sha256}"
    first, second = (curve(path, wanted.last_step) for path in (original, again))
    return False, parting(first, second)


def curve(path: Path, last_step: int) -> Rows:
    """The rows in force up to `last_step`."""
    rows = branches.in_force(record.read_rows(path), record.read_events(path)[0])
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
