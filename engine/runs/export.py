"""A recorded run for other tools: its curve as CSV or for TensorBoard, its recipe as a preset. No torch.

A run that is still going is written as far as it is.
"""

import csv
import io
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from msgspec.structs import replace

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import harmless
from trainconsole.engine.config.parsing import encode
from trainconsole.engine.protocol.events import AnyEvent, Branched, Started
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.engine.record.metrics_file import MetricFile
from trainconsole.engine.record.scalar_names import files
from trainconsole.engine.runs import branches, replay
from trainconsole.engine.runs.own_numbers import OwnColumn, records_in_force
from trainconsole.engine.runs.replay import Recipe

MEASURED = ("loss", "metric", "lr", "grad_norm")


def to_csv(run: Path, file: Path) -> None:
    """The curve in force: a header, then every column of metrics.bin, a line a step; after them a column for
    each own number, the last value that it had at that step. Records of steps that have no row, as step 0,
    are left out.

    Numbers are the shortest that read back to the same bits in the column's own type; what was not measured
    is nan. A file that is there is replaced, whole or not at all. Raises UserError.
    """
    events, names = _begun(run), ROW.names or ()
    spans = branches.spans(branches.forks(events))
    known = files(run)
    own = [OwnColumn(run, name, spans) for name in known.values()]
    with written(file) as out:
        out.write(_header([*names, *map(_tag, known)]))
        for rows in rows_in_force(run, events):
            columns = [rows[name] for name in names] + [column.at(rows["step"]) for column in own]
            cells = zip(*(column.astype("U").tolist() for column in columns), strict=True)
            out.write("".join(",".join(line) + "\n" for line in cells).encode())


def to_tensorboard(run: Path, folder: Path) -> None:
    """The curve in force as scalars: loss, the batch metric by its name, lr, grad_norm where measured;
    each epoch's metrics as train/NAME and val/NAME; and each own number by its name.

    The wall time of a step is that of the start of its branch plus the training since. A second export takes
    the place of the first. Raises UserError where tensorboard is missing, or `folder` holds another run.
    """
    event, writer = _tensorboard()
    events, metric = _begun(run), run_directory.read_meta(run).batch_metric
    # Two runs may have begun in one second, under one name, in two directories.
    second, micro = divmod(round(events[0].time * 1e6), 10**6)
    file = folder / f"events.out.tfevents.{second:010d}.{run.name}.{micro:06d}"
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
    if wanted.config.script is not None:
        raise UserError(f"{run.name} is the run of a script, which no preset can start: trainconsole replay")
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
    """What branches.in_force gives, a part at a time: a record of days has more rows than fit."""
    spans = branches.spans(branches.forks(events))
    # Counted first: the rows that a live run adds meanwhile could be of a branch that `events` do not know.
    for rows in MetricFile(run).all(run_directory.count_rows(run)):
        yield rows[branches.among(rows, spans)]


def _tag(name: str) -> str:
    """An own number beside the columns of the record: one that is called like such a one has a prefix."""
    return f"logged/{name}" if name in (ROW.names or ()) else name


def _header(names: Sequence[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(map(harmless, names))
    return line.getvalue().encode()


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
    run_directory.read_meta(run)
    events = run_directory.read_events(run)[0]
    if not events:
        raise UserError(f"{run}: training has not begun, so there is nothing to export")
    return events


# --- TensorBoard ------------------------------------------------------------------------------------------

Value = dict[str, str | float]
EVERY = 64
"""Steps apart at which the wall time of rows is kept."""


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
    """(step, wall time, values), first the steps, then the epochs, then own numbers."""
    tags = {**{name: name for name in MEASURED}, "metric": metric}
    began = {event.branch: event.time for event in events if isinstance(event, Started | Branched)}
    offsets: dict[int, float] = {}
    walls = [(0, events[0].time)]
    for rows in rows_in_force(run, events):
        for row in rows:
            branch, seconds = int(row["branch"]), float(row["time"])
            wall_time = offsets.setdefault(branch, began[branch] - seconds) + seconds
            measured = {tag: float(row[name]) for name, tag in tags.items()}
            if math.isnan(measured["grad_norm"]):
                del measured["grad_norm"]
            yield int(row["step"]), wall_time, _values("", measured)
            if row["step"] % EVERY == 0:
                walls.append((int(row["step"]), wall_time))
    for epoch in branches.epochs_in_force(events):
        yield epoch.step, epoch.time, _values("train/", epoch.train) + _values("val/", epoch.val or {})
    yield from _own(run, events, {metric, *MEASURED}, walls)


def _own(
    run: Path, events: Sequence[AnyEvent], taken: set[str], walls: Sequence[tuple[int, float]]
) -> Iterator[tuple[int, float, list[Value]]]:
    """The wall time of a record is between those of the rows around it."""
    spans, known = branches.spans(branches.forks(events)), np.array(walls, float)
    for name, file in files(run).items():
        tag = f"logged/{name}" if name in taken else name
        for records in records_in_force(run, file, spans):
            times = np.interp(records["step"].astype(float), known[:, 0], known[:, 1])
            for record, wall_time in zip(records, times.tolist(), strict=True):
                yield int(record["step"]), wall_time, [{"tag": tag, "simple_value": float(record["value"])}]


def _values(prefix: str, numbers: Mapping[str, float | None]) -> list[Value]:
    return [
        {"tag": prefix + name, "simple_value": math.nan if number is None else number}
        for name, number in numbers.items()
    ]
