"""What a start of a run needs, settled before torch is loaded. No torch."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import encodable
from trainconsole.engine.config import limits
from trainconsole.engine.config.knobs import KNOBS
from trainconsole.engine.config.models import Mlp
from trainconsole.engine.config.parsing import override
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.protocol import script
from trainconsole.engine.record import own_files, run_directory
from trainconsole.engine.record.meta import UNCHANGED, DeviceName
from trainconsole.engine.runs import scripts, source_run, trust

NARROW = 128
"""Units of a layer that one thread computes as fast as two."""


class Launch(Struct, frozen=True, kw_only=True):
    """One session of one run: `path` is its directory, which holds config.toml already.

    `resume` goes on with a run that is there; `requests` are commands for its first boundary. `code` is the
    user code that may be imported before a command names more ("my_pkg.nets:Net"); None: whatever is named.
    `repeats` is meta.json's `data` of the run that this one repeats, {} where it repeats none.
    `said` is what to tell the person once it has begun. Of a script's run, `begins_with` is the one whose
    state at step 0 it begins with, "" its own.
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
    code: tuple[str, ...] | None = None
    repeats: dict[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    begins_with: str = ""


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
    _recordable(runs.absolute(), "--runs-dir")
    _recordable(data_dir, "--data-dir")
    config, said = _settled(config, runs, unattended=unattended)
    path = run_directory.create(runs, preset, name)
    launch = Launch(
        path=path,
        config=config,
        preset=encodable(preset),
        data_dir=data_dir,
        device=device,
        threads=threads or config.threads or default_threads(config),
        command_line=tuple(encodable(command_line)),
        said=said,
    )
    with unless_begun(launch):
        run_directory.write_config(path, config)
        trust.remember(path, trust.in_config(config))
    return launch


def _settled(config: RunConfig, runs: Path, *, unattended: bool) -> tuple[RunConfig, tuple[str, ...]]:
    """`config` with what it leaves open, and what is to be said. Raises UserError."""
    if config.script is not None:
        return config, ()
    limits.check(config)
    if config.on_nonfinite is None:
        config = replace(config, on_nonfinite="fail" if unattended else "pause")
    return source_run.resolve(with_usual_decay(config), runs)


def with_usual_decay(config: RunConfig) -> RunConfig:
    """`config` with the weight decay of its optimizer written out, so that no later version reads another."""
    if config.regularisation.weight_decay is not None:
        return config
    regularisation = replace(config.regularisation, weight_decay=config.optimizer.usual_decay)
    return replace(config, regularisation=regularisation)


def abandon(launch: Launch) -> None:
    """Nothing was trained: leave no directory of a new run."""
    if not launch.resume:
        abandon_new(launch.path)


def abandon_new(run: Path) -> None:
    """Leave no directory of a run that has no event."""
    if not (run / "events.jsonl").exists():
        shutil.rmtree(run, ignore_errors=True)


@contextmanager
def unless_begun(launch: Launch) -> Iterator[None]:
    """What goes wrong meanwhile leaves no directory of a run that has not begun. An OSError becomes a
    UserError."""
    try:
        yield
    except OSError as error:
        abandon(launch)
        raise UserError(f"cannot start in {launch.path}: {error.strerror or error}") from None
    except BaseException:
        abandon(launch)
        raise


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
    own_files.check(path)
    _recordable(path, "RUN")
    config, meta = run_directory.read_config(path), run_directory.read_meta(path)
    if meta.task == UNCHANGED:
        raise UserError(f"{path.name} cannot be gone on with: {scripts.WAYS_BACK}")
    scripts.check_again(config)
    code = trust.named(config, run_directory.read_events(path)[0])
    requests = tuple(as_command(text) for text in assignments)
    override(config, assignments)
    return Launch(
        path=path,
        config=config,
        preset=meta.preset or path.name,
        data_dir=data_dir or (Path(meta.data_dir) if meta.data_dir else default_data_dir),
        device=device or meta.last.asked_device,
        threads=threads or meta.last.threads or config.threads or default_threads(config),
        command_line=tuple(encodable(command_line)),
        resume=True,
        requests=requests,
        code=tuple(named.target for named in code),
    )


def _recordable(path: Path, what: str) -> None:
    """Raises UserError for a name that the files of a run, which are UTF-8, cannot hold."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        name = encodable(str(path))
        raise UserError(
            f"{what} {name}: this name is not UTF-8, and a run keeps it as text: rename it"
        ) from None


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


def started_for(launch: Launch) -> scripts.Start:
    """What the script of `launch` is started for."""
    return scripts.Start(
        path=str(launch.path),
        resume=launch.resume,
        requests=launch.requests,
        begins_with=launch.begins_with,
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
