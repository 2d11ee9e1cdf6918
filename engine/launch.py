"""What a start of a run needs, settled before torch is loaded. No torch."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from trainconsole.engine import record, script
from trainconsole.engine.config import Mlp, RunConfig
from trainconsole.engine.errors import UserError
from trainconsole.engine.grammar import KNOBS
from trainconsole.engine.reading import override

DeviceName = Literal["auto", "cpu", "cuda", "mps"]


NARROW = 128
"""Units of a layer that one thread computes as fast as two."""


class Launch(Struct, frozen=True, kw_only=True):
    """One session of one run: `path` is its directory, which holds config.toml already.

    `resume` goes on with a run that is there; `requests` are commands for its first boundary.
    """

    path: Path
    config: RunConfig
    preset: str
    data_dir: Path
    device: DeviceName = "auto"
    threads: int = 1
    command_line: tuple[str, ...] = ()
    resume: bool = False
    requests: tuple[str, ...] = ()


def prepare(
    config: RunConfig,
    preset: str,
    *,
    runs: Path,
    data_dir: Path,
    name: str = "",
    device: DeviceName = "auto",
    threads: int | None = None,
    unattended: bool = False,
    command_line: Sequence[str] = (),
) -> Launch:
    """Check what needs no torch, make the run directory, write config.toml. Raises UserError.

    Where the config leaves open what a non-finite update does, an `unattended` run fails and another pauses.
    """
    script.check(config, preset)
    if config.on_nonfinite is None:
        config = replace(config, on_nonfinite="fail" if unattended else "pause")
    if config.model.init_from is not None:
        source = record.find(runs, config.model.init_from)
        config = replace(config, model=replace(config.model, init_from=str(source)))
    path = record.create(runs, preset, name)
    record.write_config(path, config)
    return Launch(
        path=path,
        config=config,
        preset=preset,
        data_dir=data_dir,
        device=device,
        threads=threads or config.threads or default_threads(config),
        command_line=tuple(command_line),
    )


def reopen(
    path: Path,
    *,
    assignments: Sequence[str] = (),
    data_dir: Path | None = None,
    device: DeviceName | None = None,
    threads: int | None = None,
    default_data_dir: Path,
    command_line: Sequence[str] = (),
) -> Launch:
    """Go on with the run at `path` as its last session was, unless said otherwise. Raises UserError.

    `assignments` are KEY=VALUE for what has a live command; they become commands of the run.
    """
    config, meta = record.read_config(path), record.read_meta(path)
    last = meta.get("sessions", [{}])[-1]
    requests = tuple(as_command(text) for text in assignments)
    override(config, assignments)
    return Launch(
        path=path,
        config=config,
        preset=meta.get("preset", path.name),
        data_dir=data_dir or Path(meta.get("data_dir", default_data_dir)),
        device=device or last.get("asked_device", "auto"),
        threads=threads or last.get("threads") or config.threads or default_threads(config),
        command_line=tuple(command_line),
        resume=True,
        requests=requests,
    )


LIVE = {
    "epochs": "epochs",
    "batch_size": "batch",
    "optimizer.lr": "lr",
    "early_stopping.patience": "set patience",
}


def as_command(assignment: str) -> str:
    """KEY=VALUE as the live command that does the same. Raises UserError where there is none."""
    key, _, value = assignment.partition("=")
    key, value = key.strip(), value.strip()
    knob = key.removeprefix("regularisation.")
    if key in LIVE:
        return f"{LIVE[key]} {value}"
    if key != knob and knob in KNOBS:
        return f"set {knob} {value}"
    raise UserError(
        f"--set {assignment}: a run that has begun can change {', '.join(LIVE)} and regularisation.*;"
        " anything else needs a new run"
    )


def default_threads(config: RunConfig) -> int:
    """The cores this process may use; one for an MLP with hidden layers of at most NARROW.

    There a second thread gains nothing (1.0 of the speed at 32 units, 1.1 at 128, 1.4 at 512), and where
    another program takes one of the cores, all threads wait for it at each layer (0.04 to 0.4 of the speed).
    """
    if isinstance(config.model, Mlp) and max(config.model.hidden, default=0) <= NARROW:
        return 1
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
