import json
from pathlib import Path

import numpy as np
import pytest

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.protocol import events
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.journal import Journal
from trainconsole.engine.record.metric_rows import ROW, described


def rows(*steps: int) -> np.ndarray:
    made = np.zeros(len(steps), dtype=ROW)
    made["step"] = steps
    made["loss"] = np.nan
    return made


def made_run(runs: Path, name: str) -> Path:
    path = runs / name
    path.mkdir(parents=True)
    run_directory.write_config(path, RunConfig())
    return path


def test_a_row_is_forty_bytes_that_numpy_can_read_from_its_description() -> None:
    assert ROW.itemsize == 40
    assert np.dtype([(name, code) for name, code in described()]) == ROW


def test_directories_are_exclusive_and_named(tmp_path: Path) -> None:
    made = {run_directory.create(tmp_path / "runs", "digits", "my try!") for _ in range(3)}
    assert len(made) == 3
    assert all("_digits-my-try" in path.name for path in made)


def test_a_file_where_the_runs_should_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserError, match="--runs-dir"):
        run_directory.create(tmp_path / "runs", "digits")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    recorder = run_directory.Recorder(tmp_path)
    recorder.write_rows(rows(1, 2, 3))
    event = recorder.write_event(events.Resumed(step=3, branch=0, why="test"))
    recorder.close()
    assert list(run_directory.read_rows(tmp_path)["step"]) == [1, 2, 3]
    assert list(run_directory.read_rows(tmp_path, start=2)["step"]) == [3]
    journal = Journal(tmp_path)
    assert journal.read() == [event]
    assert (journal.read(), journal.exhausted) == ([], True)


def test_seq_counts_by_one_and_nan_is_null(tmp_path: Path) -> None:
    recorder = run_directory.Recorder(tmp_path)
    for value in (1.0, float("nan")):
        recorder.write_event(
            events.EpochEnded(
                step=1,
                branch=0,
                epoch=1,
                train={"loss": value},
                val=None,
                lr=0.1,
                steps_per_second=1.0,
                best=None,
            )
        )
    recorder.close()
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["seq"] for line in lines] == [0, 1]
    assert lines[1]["train"] == {"loss": None}
    assert {"type", "step", "branch", "seq", "time"} <= set(lines[0])


def test_a_torn_last_record_is_left_out(tmp_path: Path) -> None:
    recorder = run_directory.Recorder(tmp_path)
    recorder.write_rows(rows(1))
    recorder.write_event(events.Resumed(step=1, branch=0, why="test"))
    recorder.close()
    with open(tmp_path / "metrics.bin", "ab") as file:
        file.write(b"\0" * 17)
    with open(tmp_path / "events.jsonl", "ab") as file:
        file.write(b'{"type":"resu')
    assert len(run_directory.read_rows(tmp_path)) == 1
    assert len(run_directory.read_events(tmp_path)[0]) == 1


def test_null_metrics_are_read_back(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(
        '{"type":"epoch","step":1,"branch":0,"seq":0,"time":1.0,"epoch":1,"train":{"loss":null},"val":null,'
        '"lr":0.1,"steps_per_second":1.0,"best":null,"added_later":1}\n'
    )
    (event,) = run_directory.read_events(tmp_path)[0]
    assert isinstance(event, events.EpochEnded)
    assert event.train == {"loss": None}


def test_runs_are_found_by_path_name_prefix_and_last(tmp_path: Path) -> None:
    first = made_run(tmp_path, "2026-01-01_00-00-00_digits")
    second = made_run(tmp_path, "2026-01-02_00-00-00_iris")
    assert run_directory.find(tmp_path, str(first)) == first
    assert run_directory.find(tmp_path, first.name) == first
    assert run_directory.find(tmp_path, "2026-01-01") == first
    assert run_directory.find(tmp_path, "last") == second
    with pytest.raises(UserError, match="fits 2 runs"):
        run_directory.find(tmp_path, "2026")
    with pytest.raises(UserError, match="no run 'mnist'"):
        run_directory.find(tmp_path, "mnist")
    with pytest.raises(UserError, match="there are no runs in"):
        run_directory.find(tmp_path / "none", "last")


def test_another_format_is_refused_in_a_sentence(tmp_path: Path) -> None:
    run_directory.write_meta(tmp_path, {"format": 99})
    with pytest.raises(UserError, match="written in format 99, this version reads format 1"):
        run_directory.read_meta(tmp_path)


def test_meta_is_replaced_whole(tmp_path: Path) -> None:
    run_directory.write_meta(tmp_path, {"format": 1, "preset": "a", "added_later": 1})
    run_directory.write_meta(tmp_path, {"format": 1, "preset": "b", "added_later": 2})
    assert run_directory.read_meta(tmp_path).preset == "b"
    run_directory.add_session(tmp_path, {"threads": 3})
    assert run_directory.read_meta(tmp_path).last.threads == 3
    assert json.loads((tmp_path / "meta.json").read_text())["added_later"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["meta.json"]
