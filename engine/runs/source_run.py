"""The run that another one begins with: found, and its division of the same set carried over. No torch."""

from pathlib import Path

from msgspec.structs import replace

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import AnyData, Augment, ImageFolder, ImportedData, Split, Threshold
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.record import run_directory

WEIGHTS = "init.pt"
"""In the run directory: the weights that the run began with."""


def resolve(config: RunConfig, runs: Path) -> tuple[RunConfig, tuple[str, ...]]:
    """`config` with model.init_from as an absolute path, and what is to be said.

    It may name a run, or a checkpoint file (ending in .pt). Where both runs take the same set and
    data.split.seed is left open, the seed that divided the source's rows divides these too: a row that it
    trained on must not come into the test part. Raises UserError where there is no such run.
    """
    name = config.model.init_from
    if name is None:
        return config, ()
    if name.endswith(".pt"):
        if not Path(name).is_file():
            raise UserError(f"model.init_from: no such file: {name}")
        source = Path(name).resolve()
    else:
        source = run_directory.find(runs, name)
    config = replace(config, model=replace(config.model, init_from=str(source)))
    return _with_its_split(config, run_of(source))


def run_of(source: Path) -> Path:
    """The run directory that a run or a file in it belongs to."""
    if not source.name.endswith(".pt"):
        return source
    return source.parent.parent if source.parent.name == "checkpoints" else source.parent


def needed_by(run: Path) -> Path | None:
    """The run without which `run` cannot be resumed or replayed: it began with weights of it, and kept none,
    as those of earlier versions did not."""
    try:
        source = run_directory.read_config(run).model.init_from
    except (UserError, OSError):
        return None
    return None if source is None or (run / WEIGHTS).exists() else run_of(Path(source))


def _with_its_split(config: RunConfig, run: Path) -> tuple[RunConfig, tuple[str, ...]]:
    try:
        before = run_directory.read_config(run)
    except (UserError, OSError):
        return config, ()
    shares, theirs = config.data.split, before.data.split
    seed = before.seed if theirs.seed is None else theirs.seed
    generated = isinstance(config.data, Threshold) and config.seed != before.seed
    if shares.seed is not None or config.seed == seed or generated or _set(config.data) != _set(before.data):
        return config, ()
    split = replace(shares, seed=seed)
    said = f"rows divided by the seed {seed} of {run.name}, so that it trained on none of the test rows"
    return replace(config, data=replace(config.data, split=split)), (said,)


def _set(data: AnyData) -> AnyData:
    """What says which set it is: how it is divided, scaled, chosen from and read does not count."""
    data = replace(
        data,
        split=Split(),
        scaling="none",
        target_scaling="none",
        balance="none",
        classes=(),
        limit=None,
        augment=Augment(),
    )
    if isinstance(data, ImageFolder):
        path = str(Path(data.path).expanduser().absolute())
        return replace(data, path=path, size=1, workers=None, on_damaged="fail")
    return replace(data, workers=0) if isinstance(data, ImportedData) else data
