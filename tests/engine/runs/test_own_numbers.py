"""Own numbers of a run with an undo: what is in force, and what an export has of them."""

import csv
from pathlib import Path

import numpy as np
import pytest
from support.running import Ran, run

from trainconsole.engine.protocol.events import Branched
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.metric_rows import ROW
from trainconsole.engine.record.scalars import SCALAR, ScalarWriter
from trainconsole.engine.runs import branches, export, own_numbers
from trainconsole.engine.runs.branches import Fork


def records(*parts: tuple[int, int, float]) -> np.ndarray:
    return np.array([*parts], SCALAR)


def fork(branch: int, parent: int, step: int) -> Branched:
    return Branched(step=step, branch=branch, parent=parent, at_step=step, why="undo", lineage=())


def test_what_was_abandoned_is_not_in_force() -> None:
    every = records((0, 0, 0.0), (5, 0, 1.0), (9, 0, 2.0), (5, 1, 3.0), (6, 1, 4.0), (6, 2, 5.0), (1, 7, 6.0))
    events = [fork(1, 0, 5), fork(2, 0, 5)]
    assert branches.scalars_in_force(every, events)["value"].tolist() == [0.0, 1.0, 5.0]
    assert branches.scalars_in_force(every, events[:1])["value"].tolist() == [0.0, 1.0, 3.0, 4.0]
    assert branches.scalars_in_force(every, [])["value"].tolist() == [0.0, 1.0, 2.0]


def test_a_column_is_read_as_far_as_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainconsole.engine.record.metrics_file.CHUNK", 4)
    writer = ScalarWriter(tmp_path)
    writer.write("a", np.repeat(np.arange(0, 60, 3), 2), 0, np.arange(40))
    column = own_numbers.OwnColumn(tmp_path, "a.bin", branches.spans({0: Fork(0, None, 0)}))
    parts = [np.arange(start, start + 10, dtype="u8") for start in range(1, 71, 10)]
    found = np.concatenate([column.at(part) for part in parts])
    wanted = [2 * step / 3 + 1 if step % 3 == 0 and step < 60 else np.nan for step in range(1, 71)]
    assert np.array_equal(found, np.array(wanted, "f4"), equal_nan=True)


@pytest.fixture(scope="module")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Iris with an undo; then numbers are written as its loop would have."""
    ran = run(tmp_path_factory.mktemp("own"), "iris", after={4: ["lr x2"], 9: ["undo"]})
    writer, rows = ScalarWriter(ran.path), ran.rows
    writer.write('twice, "quoted"', rows["step"], rows["branch"], 2 * rows["loss"])
    writer.write("loss", 0, 0, 7.0)
    ends = np.isin(rows["step"], [6, 12]) & (rows["branch"] == rows["branch"].max())
    writer.write("loss", rows["step"][ends], rows["branch"][ends], [0.25, float("inf")])
    writer.write("accuracy", 1, 0, 0.5)
    writer.close()
    return ran


def test_a_csv_has_a_column_for_each(steered: Ran, tmp_path: Path) -> None:
    export.to_csv(steered.path, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        header, *body = csv.reader(file)
    assert header == [*(ROW.names or ()), 'twice, "quoted"', "logged/loss", "accuracy"]
    table = {
        name: np.array(column).astype("f4")
        for name, column in zip(header, zip(*body, strict=True), strict=True)
    }
    assert len(body) < len(steered.rows)
    assert np.array_equal(table['twice, "quoted"'], 2 * table["loss"])
    known = ~np.isnan(table["logged/loss"])
    assert table["step"][known].tolist() == [6, 12]
    assert table["logged/loss"][known].tolist() == [0.25, float("inf")]


def test_tensorboard_has_each_by_its_name(steered: Ran, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the tensorboard extra is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    export.to_tensorboard(steered.path, tmp_path)
    reader = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    reader.Reload()
    wanted = branches.in_force(steered.rows, run_directory.read_events(steered.path)[0])
    twice = reader.Scalars('twice, "quoted"')
    assert [event.step for event in twice] == wanted["step"].tolist()
    assert np.array_equal(np.array([event.value for event in twice], "f4"), 2 * wanted["loss"])
    assert [event.step for event in reader.Scalars("logged/loss")] == [0, 6, 12]
    assert len(reader.Scalars("loss")) == len(wanted)
    assert [event.value for event in reader.Scalars("logged/accuracy")] == [0.5]
    times = [event.wall_time for event in twice]
    assert steered.events[0]["time"] <= times[0] <= times[-1] <= steered.last["time"] + 1


def test_names_from_a_stranger_are_harmless_in_a_csv(steered: Ran, tmp_path: Path) -> None:
    ScalarWriter(steered.path).write("\u202eevil\u200b", 1, 0, 1.0)
    export.to_csv(steered.path, tmp_path / "a.csv")
    head = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "\ufffdevil\ufffd" in head


def test_a_link_in_place_of_a_file_is_not_exported(tmp_path: Path) -> None:
    ran = run(tmp_path, "iris")
    ScalarWriter(ran.path).write("a", 1, 0, 1.0)
    (ran.path / "scalars" / "a.bin").rename(tmp_path / "a.bin")
    (ran.path / "scalars" / "a.bin").symlink_to(tmp_path / "a.bin")
    export.to_csv(ran.path, tmp_path / "a.csv")
    assert {line.rpartition(",")[2] for line in (tmp_path / "a.csv").read_text().splitlines()} == {"a", "nan"}
