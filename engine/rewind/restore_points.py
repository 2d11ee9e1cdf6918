"""States that a run can go back to: step 0, and the checkpoints on its branch and its parents."""

from collections.abc import Iterable
from pathlib import Path

from trainconsole.engine.checkpoints import schema
from trainconsole.engine.checkpoints.parts import entries
from trainconsole.engine.checkpoints.schema import Kept
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import kind_of
from trainconsole.engine.protocol.events import Entry
from trainconsole.engine.record.checkpoint_names import label
from trainconsole.engine.record.open_directory import Directory
from trainconsole.engine.reporting.steered import Steered
from trainconsole.engine.runs.branches import Fork, chain

Found = tuple[Kept, Kept | None]
"""A state, and the best that it knows."""


def origin(trainer: Steered) -> Kept:
    """The state at step 0."""
    return {**trainer.origin_state(), "branch": 0, "seconds": 0.0, "best_file": ""}


def load_with_best(path: Path) -> Found:
    """A checkpoint and the best that it knows. Raises UserError where either is damaged or gone."""
    state = schema.load(path)
    file = state["best_file"]
    if not file:
        # The best itself names none: it is the one.
        return state, state if state["best"] is not None else None
    if label(file) is None:
        raise UserError(f"{path}: it names {file!r} as its best, which is no checkpoint")
    return state, schema.load(path.parent / file)


def on_chain(directory: Path, forks: dict[int, Fork], branch: int, step: int) -> list[Path]:
    """Kept files of `branch` and, not beyond the forks, its parents, up to `step`; the newest first."""
    limits = dict(chain(forks, branch))
    found = []
    if not kind_of(directory):
        return []
    with Directory(directory) as folder:
        for name in folder.names():
            place = label(name)
            if place is None or place.branch not in limits or folder.kind(name) != "a file":
                continue
            if place.step <= min(limits[place.branch], step):
                found.append((place.step, folder.stat(name).st_mtime_ns, directory / name))
    return [path for *_, path in sorted(found, reverse=True)]


def soundest(
    files: Iterable[Path], lineage: list[Entry] | None, damaged: list[str] | None = None
) -> tuple[Kept, Kept | None, Path] | None:
    """The first of `files` that is whole and led to by a beginning of `lineage`, where that is known; None
    where none is.

    What is wrong with those passed over is added to `damaged`.
    """
    for path in files:
        try:
            state, best = load_with_best(path)
        except UserError as error:
            if damaged is not None:
                damaged.append(str(error))
            continue
        known = entries(state)
        if lineage is None or known == lineage[: len(known)]:
            return state, best, path
    return None
