"""A recorded run for other tools: its curve as CSV or for TensorBoard, its recipe as a preset. No torch.

A run that is still going is written as far as it is.
"""

import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from msgspec.structs import replace

from trainconsole.engine import branches, record, replay
from trainconsole.engine.errors import UserError
from trainconsole.engine.history import ROW, Rows
from trainconsole.engine.messages import AnyEvent, Branched, Started
from trainconsole.engine.reading import encode
from trainconsole.engine.replay import Recipe

CHUNK = 1 << 16
"""Rows in memory at a time: a record of days has more than fit."""

MEASURED = ("loss", "metric", "lr", "grad_norm")


def to_csv(run: Path, file: Path) -> None:
    """The curve in force: a header, then every column of metrics.bin, a line a step.

    Numbers are the shortest that read back to the same bits in the column's own type; what was not measured
    is nan. A file that is there is replaced, whole or not at all. Raises UserError.
    """
    events, names = _begun(run), ROW.names or ()
    with written(file) as out:
        out.write((",".join(names) + "\n").encode())
        for rows in rows_in_force(run, events):
            columns = (rows[name].astype("U").tolist() for name in names)
            out.write("".join(",".join(cells) + "\n" for cells in zip(*columns, strict=True)).encode())


def to_tensorboard(run: Path, folder: Path) -> None:
    """The curve in force as scalars: loss, the batch metric by its name, lr, grad_norm where measured; and
    each epoch's metrics as train/NAME and val/NAME.

    The wall time of a step is that of the start of its branch plus the training since. A second export takes
    the place of the first. Raises UserError where tensorboard is missing, or `folder` holds another run.
    """
    event, writer = _tensorboard()
    events, metric = _begun(run), str(record.read_meta(run)["batch_metric"])
    file = folder / f"events.out.tfevents.{int(events[0].time):010d}.{run.name}"
    _check_folder(folder, file)
    with written(file) as out:
        records = writer(out)
        records.write(event(wall_time=events[0].time, file_version="brain.Event:2").SerializeToString())
        for step, wall_time, values in _scalars(run, events, metric):
            scalars = event(wall_time=wall_time, step=step, summary={"value": values})
            records.write(scalars.SerializeToString())


def to_preset(run: Path, file: Path, *, force: bool = False) -> Recipe:
    """The run's recipe as a preset: its config with its lineage as scripted commands. Returns the recipe.

    Raises UserError where there is nothing to repeat, and where `file` is there and `force` is not given.
    """
    wanted = replay.recipe(run)
    if file.suffix != ".toml":
        raise UserError(f"--preset {file}: the name of a preset file ends in .toml")
    if os.path.lexists(file) and not force:
        raise UserError(f"{file} is there already: choose another name, or say --force to replace it")
    count = len(wanted.config.commands)
    commands = f"{count} command{'' if count == 1 else 's'} at their steps"
    description = f"The run {run.name} as a recipe, {commands}; weights sha256 {wanted.weights_sha256[:12]}"
    with written(file) as out:
        out.write(encode(replace(wanted.config, description=description)).encode())
    return wanted


def rows_in_force(run: Path, events: Sequence[AnyEvent]) -> Iterator[Rows]:
    """What branches.in_force gives, at most CHUNK rows at a time, each step once and in order.

    A branch is written after its parents, so the order of the file is that of the curve.
    """
    spans = _spans(events)
    # Counted first: the rows that a live run adds meanwhile could be of a branch that `events` do not know.
    for start in range(0, count := record.count_rows(run), CHUNK):
        rows = _block(run, start, min(CHUNK, count - start))
        keep = np.zeros(len(rows), dtype=bool)
        for branch in np.unique(rows["branch"]):
            begin, last = spans.get(int(branch), (0.0, 0.0))
            keep |= (rows["branch"] == branch) & (rows["step"] > begin) & (rows["step"] <= last)
        yield rows[keep]


@contextmanager
def written(file: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes its name once it is whole; a pipe or a device is written as it is.

    Raises UserError where it cannot be written.
    """
    target = file.resolve()
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            with open(target, "wb") as out:
                yield out
            return
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with open(draft, "xb") as out:
                yield out
            os.replace(draft, target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror or error}") from None


def _begun(run: Path) -> list[AnyEvent]:
    """The run's events, of which there is one at least; another format version is refused."""
    record.read_meta(run)
    events = record.read_events(run)[0]
    if not events:
        raise UserError(f"{run}: training has not begun, so there is nothing to export")
    return events


def _spans(events: Sequence[AnyEvent]) -> dict[int, tuple[float, float]]:
    """By branch in force: the step that its first row comes after, and the last that counts."""
    ends = branches.chain(branches.forks(events), branches.live(events))
    begins = [0.0, *(last for _, last in ends)]
    return {branch: (begin, last) for (branch, last), begin in zip(ends, begins, strict=False)}


def _block(run: Path, start: int, count: int) -> Rows:
    with open(run / "metrics.bin", "rb") as file:
        file.seek(start * ROW.itemsize)
        data = file.read(count * ROW.itemsize)
    return np.frombuffer(data, dtype=ROW, count=len(data) // ROW.itemsize)


# --- TensorBoard ------------------------------------------------------------------------------------------

Value = dict[str, str | float]


def _tensorboard() -> tuple[Any, Any]:
    """TensorBoard's event, and what writes records to a file; neither needs torch."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError:
        raise UserError(
            "--tensorboard needs the tensorboard package: pip install 'trainconsole[tensorboard]'"
        ) from None
    return Event, RecordWriter


def _check_folder(folder: Path, file: Path) -> None:
    """Make `folder`. TensorBoard takes all event files of one folder for one run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror}") from None
    others = [path.name for path in folder.glob("*tfevents*") if path.name != file.name]
    if others:
        raise UserError(
            f"{folder} holds {others[0]}, and TensorBoard would draw the two as one run\n"
            f"Give each run a folder of its own, as in --tensorboard {folder / 'RUN'}"
        )


def _scalars(run: Path, events: Sequence[AnyEvent], metric: str) -> Iterator[tuple[int, float, list[Value]]]:
    """(step, wall time, values), first the steps, then the epochs."""
    tags = {**{name: name for name in MEASURED}, "metric": metric}
    began = {event.branch: event.time for event in events if isinstance(event, Started | Branched)}
    offsets: dict[int, float] = {}
    for rows in rows_in_force(run, events):
        for row in rows:
            branch, seconds = int(row["branch"]), float(row["time"])
            wall_time = offsets.setdefault(branch, began[branch] - seconds) + seconds
            measured = {tag: float(row[name]) for name, tag in tags.items()}
            if math.isnan(measured["grad_norm"]):
                del measured["grad_norm"]
            yield int(row["step"]), wall_time, _values("", measured)
    for epoch in branches.epochs_in_force(events):
        yield epoch.step, epoch.time, _values("train/", epoch.train) + _values("val/", epoch.val or {})


def _values(prefix: str, numbers: Mapping[str, float | None]) -> list[Value]:
    return [
        {"tag": prefix + name, "simple_value": math.nan if number is None else number}
        for name, number in numbers.items()
    ]
