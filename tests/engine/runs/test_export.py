"""Exports read back: the curve bit for bit, by csv and by TensorBoard's own reader; the preset by running."""

import csv
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.resuming import live, start
from support.running import Ran, run, run_config

from trainconsole import presets
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.commands import Interrupt
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.engine.runs import branches, export

STEERED = {4: ["lr x2"], 9: ["batch 8"], 15: ["undo"], 17: ["set clip.norm 1"], 20: ["lr x0.3"]}


@pytest.fixture(scope="module")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Four epochs of iris with an undo; the gradient norm is measured from step 18 on."""
    folder = tmp_path_factory.mktemp("steered")
    return run(folder, "iris", "model.dropout=0.2", "schedule.name=cosine", after=STEERED)


def in_force(path: Path) -> Rows:
    return branches.in_force(run_directory.read_rows(path), run_directory.read_events(path)[0])


def read_csv(file: Path) -> Rows:
    """By the csv module; each number to its column's own type by numpy."""
    with file.open(encoding="utf-8", newline="") as lines:
        header, *body = csv.reader(lines)
    assert tuple(header) == ROW.names
    rows = np.zeros(len(body), dtype=ROW)
    for name, column in zip(header, zip(*body, strict=True), strict=True):
        rows[name] = np.array(column).astype(ROW[name])
    return rows


def test_csv_is_the_curve_in_force_to_the_last_bit(steered: Ran, tmp_path: Path) -> None:
    file = tmp_path / "curve.csv"
    export.to_csv(steered.path, file)
    wanted = in_force(steered.path)
    assert len(wanted) < len(steered.rows)
    assert np.isnan(wanted["grad_norm"]).any()
    assert np.isfinite(wanted["grad_norm"]).any()
    assert read_csv(file).tobytes() == wanted.tobytes()
    table = np.genfromtxt(file, delimiter=",", names=True)
    assert np.array_equal(table["loss"].astype("f4"), wanted["loss"])
    assert [path.name for path in tmp_path.iterdir()] == ["curve.csv"]


@given(st.lists(st.floats(width=32), min_size=1, max_size=50), st.floats())
def test_any_number_reads_back(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float], seconds: float
) -> None:
    rows = np.zeros(len(numbers), dtype=ROW)
    rows["loss"], rows["time"], rows["step"] = numbers, seconds, np.arange(len(numbers)) + 1
    text = {name: rows[name].astype("U") for name in ("loss", "time", "step")}
    for name, cells in text.items():
        back = np.array([float(cell) for cell in cells]).astype(ROW[name])
        assert np.array_equal(back, rows[name], equal_nan=name != "step")


def test_a_run_that_goes_on_is_written_as_far_as_it_is(tmp_path: Path) -> None:
    ran = live(start(tmp_path, "iris"), after={7: ["lr x2"]}, dies=11)
    with (ran.path / "metrics.bin").open("ab") as file:
        file.write(b"half a row")
    export.to_csv(ran.path, tmp_path / "a.csv")
    assert read_csv(tmp_path / "a.csv")["step"].tolist() == list(range(1, len(ran.rows) + 1))
    assert len(ran.rows) >= 7


def test_an_export_takes_the_place_of_the_one_before(steered: Ran, tmp_path: Path) -> None:
    file, link = tmp_path / "a.csv", tmp_path / "link.csv"
    file.write_text("what was there")
    link.symlink_to(file)
    export.to_csv(steered.path, link)
    assert link.is_symlink()
    assert len(read_csv(file)) == len(in_force(steered.path))


def test_one_that_fails_leaves_what_was_there(
    steered: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "a.csv"
    file.write_text("what was there")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match=r"cannot write .*a\.csv: No space left"):
        export.to_csv(steered.path, file)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert file.read_text() == "what was there"


@pytest.mark.parametrize("target", ["missing/a.csv", ".", "file/a.csv"])
def test_what_cannot_be_written_is_said(steered: Ran, tmp_path: Path, target: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        export.to_csv(steered.path, tmp_path / target)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_device_is_written_as_it_is(steered: Ran) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(UserError, match="No space left"):
        export.to_csv(steered.path, Path("/dev/full"))
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_start_that_was_killed_has_nothing_to_export(tmp_path: Path) -> None:
    path = start(tmp_path, "iris").path
    for write in (export.to_csv, export.to_tensorboard, export.to_preset):
        with pytest.raises(UserError, match="nothing to"):
            write(path, tmp_path / "out.toml")


# --- TensorBoard ------------------------------------------------------------------------------------------


def accumulated(folder: Path) -> dict[str, list[tuple[int, float, float]]]:
    """(step, value, wall time) by tag, as TensorBoard reads them."""
    pytest.importorskip("tensorboard", reason="the tensorboard extra is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    reader.Reload()
    tags = reader.Tags()["scalars"]
    return {tag: [(e.step, e.value, e.wall_time) for e in reader.Scalars(tag)] for tag in tags}


def test_tensorboard_reads_the_curve_and_the_epochs(steered: Ran, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the tensorboard extra is not installed")
    export.to_tensorboard(steered.path, tmp_path / "tb" / "run")
    found = accumulated(tmp_path / "tb" / "run")
    wanted = in_force(steered.path)
    for tag, name in {"loss": "loss", "accuracy": "metric", "lr": "lr"}.items():
        assert [step for step, *_ in found[tag]] == wanted["step"].tolist()
        assert np.array_equal(np.array([value for _, value, _ in found[tag]], "f4"), wanted[name])
    measured = wanted[~np.isnan(wanted["grad_norm"])]
    assert [step for step, *_ in found["grad_norm"]] == measured["step"].tolist()
    epochs = branches.epochs_in_force(run_directory.read_events(steered.path)[0])
    assert [e.epoch for e in epochs] == [1, 2, 3, 4]
    for part in ("train", "val"):
        for name in getattr(epochs[0], part):
            values = [np.float32(getattr(e, part)[name]) for e in epochs]
            assert [value for _, value, _ in found[f"{part}/{name}"]] == values
    assert [step for step, *_ in found["val/loss"]] == [e.step for e in epochs]
    times = [time for *_, time in found["loss"]]
    assert steered.events[0]["time"] <= times[0] <= times[-1] <= steered.last["time"]


def test_tensorboard_takes_a_second_export_for_the_first_and_no_other_run(
    steered: Ran, plain_run: Ran, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard", reason="the tensorboard extra is not installed")
    for _ in range(2):
        export.to_tensorboard(steered.path, tmp_path)
    assert len(accumulated(tmp_path)["loss"]) == len(in_force(steered.path))
    with pytest.raises(UserError, match="a folder of its own"):
        export.to_tensorboard(plain_run.path, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot make the folder"):
        export.to_tensorboard(plain_run.path, tmp_path / "file" / "run")


def test_without_tensorboard_the_extra_is_named(
    steered: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]
    for name in {*loaded, "tensorboard"}:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"pip install 'trainconsole\[tensorboard\]'"):
        export.to_tensorboard(steered.path, tmp_path / "tb")
    assert not (tmp_path / "tb").exists()


# --- preset -----------------------------------------------------------------------------------------------


def test_the_preset_repeats_the_run(steered: Ran, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    export.to_preset(steered.path, file)
    assert file.read_text().splitlines()[0].startswith('description = "The run ')
    name, config = presets.load(str(file))
    assert name == "mine"
    assert steered.path.name in config.description
    assert config.threads == 1
    assert [(c.when, c.what) for c in config.commands] == [
        ("step 4", "lr x2"),
        ("step 17", "set clip.norm 1"),
        ("step 20", "lr x0.3"),
    ]
    again = run_config(tmp_path / "again", config)
    assert again.last["weights_sha256"] == steered.last["weights_sha256"]


def test_the_preset_of_an_interrupted_run_goes_to_its_last_checkpoint(tmp_path: Path) -> None:
    ran = run(tmp_path, "iris", after={5: ["lr x3"], 8: [Interrupt(signal="SIGTERM")]})
    export.to_preset(ran.path, tmp_path / "mine.toml")
    again = run_config(tmp_path / "again", presets.load(str(tmp_path / "mine.toml"))[1])
    assert (again.last["step"], again.last["reason"]) == (8, "stopped")
    assert again.last["weights_sha256"] == ran.of("checkpoint")[-1]["weights_sha256"]


def test_a_preset_that_is_there_is_kept_unless_forced(steered: Ran, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("mine = true\n")
    with pytest.raises(UserError, match=r"mine\.toml is there already"):
        export.to_preset(steered.path, file)
    assert file.read_text() == "mine = true\n"
    export.to_preset(steered.path, file, force=True)
    assert presets.load(str(file))[1].commands
    with pytest.raises(UserError, match=r"ends in \.toml"):
        export.to_preset(steered.path, tmp_path / "mine")


def test_two_runs_that_began_in_one_second_are_two_for_tensorboard(
    steered: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard", reason="the tensorboard extra is not installed")
    export.to_tensorboard(steered.path, tmp_path / "tb")
    events, *rest = run_directory.read_events(steered.path)
    second, share = divmod(events[0].time, 1)
    other = [replace(events[0], time=second + (share + 0.5) % 1), *events[1:]]
    monkeypatch.setattr(run_directory, "read_events", lambda run: (other, *rest))
    with pytest.raises(UserError, match="a folder of its own"):
        export.to_tensorboard(steered.path, tmp_path / "tb")
