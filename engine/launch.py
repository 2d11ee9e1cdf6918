"""What a start of a run needs, settled before torch is loaded. No torch."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from trainconsole.engine import record, script
from trainconsole.engine.config import RunConfig

DeviceName = Literal["auto", "cpu", "cuda", "mps"]


class Launch(Struct, frozen=True, kw_only=True):
    """One session of one run: `path` is its directory, which holds config.toml already."""

    path: Path
    config: RunConfig
    preset: str
    data_dir: Path
    device: DeviceName = "auto"
    threads: int = 1
    command_line: tuple[str, ...] = ()


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
        threads=threads or default_threads(),
        command_line=tuple(command_line),
    )


def default_threads() -> int:
    """The cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
