"""Saved weights measured again come to the very figures of the run, and the run is only read."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.running import Ran, config, run, run_config

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.lock import RunLock
from trainconsole.engine.runs.launch import reopen
from trainconsole.engine.session import evaluation
from trainconsole.engine.session.evaluation import Evaluation, evaluate

BEST_IS_NOT_LAST = ("optimizer.lr=0.05", "early_stopping.patience=50", "model.dropout=0.3", "epochs=8")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Ends with the weights of its best epoch; last.pt is of the last step."""
    return run(tmp_path_factory.mktemp("ran"), "iris", *BEST_IS_NOT_LAST)


def measured(path: Path, name: str | None = None) -> Evaluation:
    return evaluate(reopen(path, default_data_dir=path), name)


def tree(path: Path) -> dict[str, tuple[int, int]]:
    """Every name below `path` with when it last changed, and its size."""
    found = [path, *path.rglob("*")]
    return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_size) for p in found}


def same_as_finished(found: Evaluation, ran: Ran) -> bool:
    end = ran.last
    assert found.weights_sha256 == end["weights_sha256"]
    return (found.metrics, found.confusion, list(found.classes)) == (
        end["test"],
        end["confusion"],
        end["classes"],
    )


def test_the_same_weights_have_the_same_figures(ran: Ran) -> None:
    found = measured(ran.path)
    assert same_as_finished(found, ran)
    assert (found.part, found.rows, found.warning) == ("test", 30, "")
    assert found.step == ran.last["best"]["step"] < ran.last["step"]
    assert found == measured(ran.path, "best")


def test_other_weights_have_others(ran: Ran) -> None:
    last = measured(ran.path, "last")
    assert (last.step, last.epoch) == (ran.last["step"], 8)
    assert last.weights_sha256 == ran.of("checkpoint")[-1]["weights_sha256"] != ran.last["weights_sha256"]
    assert last.metrics != ran.last["test"]


def test_a_convolution_with_augmentation_and_a_scheduled_swap(tmp_path: Path) -> None:
    ran = run(
        tmp_path,
        "digits",
        "epochs=2",
        "data.limit=300",
        "regularisation.augment=1.0",
        at=["step 5: optimizer sgd lr=0.01"],
    )
    assert same_as_finished(measured(ran.path, "last"), ran)


def test_regression_in_scaled_targets(tmp_path: Path) -> None:
    ran = run(tmp_path, "diabetes", "data.target_scaling=standard", "loss.name=mse", "epochs=2")
    found = measured(ran.path, "last")
    assert same_as_finished(found, ran)
    assert set(found.metrics) == {"loss", "mae", "rmse", "r2"}
    assert found.confusion is None


def test_a_named_one_of_a_run_that_goes_on(tmp_path: Path) -> None:
    ran = run(tmp_path, after={7: ["checkpoint mine"]})
    lock = RunLock(ran.path)
    lock.acquire()
    try:
        found = measured(ran.path, "mine")
    finally:
        lock.release()
    assert (found.step, found.checkpoint) == (7, "checkpoints/mine-b0-s000007.pt")


def test_nothing_is_written(ran: Ran) -> None:
    before = tree(ran.path)
    measured(ran.path)
    assert tree(ran.path) == before


def test_a_copy_without_links_and_elsewhere(ran: Ran, tmp_path: Path) -> None:
    shutil.copytree(ran.path, tmp_path / "copy")
    for path in (tmp_path / "copy" / "checkpoints").glob("*-b*"):
        path.unlink()
    assert same_as_finished(measured(tmp_path / "copy"), ran)


def test_without_a_test_part_it_is_the_validation_part(tmp_path: Path) -> None:
    ran = run(tmp_path, "iris", "data.split.test=0")
    found = measured(ran.path, "last")
    assert (found.part, found.rows) == ("validation", 30)
    assert found.metrics == ran.of("epoch")[-1]["val"]


def test_without_either_it_is_refused(tmp_path: Path) -> None:
    ran = run(tmp_path, "iris", "data.split.test=0", "data.split.validation=0")
    with pytest.raises(UserError, match="neither a test nor a validation part"):
        measured(ran.path)


def test_a_missing_checkpoint_is_named_with_those_there_are(ran: Ran, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint 'mine'; there are: best, last"):
        measured(ran.path, "mine")
    with pytest.raises(UserError, match="no checkpoint"):
        measured(ran.path, "../checkpoints/last")
    copied(ran, tmp_path, lambda file: file.unlink())
    with pytest.raises(UserError, match=r"best\.pt: it is a link to best-b0-s\d+\.pt, which is gone"):
        measured(tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "checkpoints")
    with pytest.raises(UserError, match="no checkpoint was saved yet"):
        measured(tmp_path / "copy")


def copied(ran: Ran, folder: Path, change: Callable[[Path], object]) -> None:
    """A copy of the run, links kept, with `change` done to the file of its best."""
    shutil.copytree(ran.path, folder / "copy", symlinks=True)
    change((folder / "copy" / "checkpoints" / "best.pt").resolve())


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [flip, lambda file: file.write_bytes(file.read_bytes()[:-9])])
def test_a_damaged_one_is_refused(ran: Ran, tmp_path: Path, damage: Callable[[Path], object]) -> None:
    copied(ran, tmp_path, damage)
    with pytest.raises(UserError, match=r"best-b0-s\d+\.pt: (damaged|not a whole)"):
        measured(tmp_path / "copy")
    assert measured(tmp_path / "copy", "last").part == "test"


def test_the_run_that_it_began_with_may_be_gone(ran: Ran, tmp_path: Path) -> None:
    copied(ran, tmp_path, lambda file: None)
    tuned = run(tmp_path, "iris", f"model.init_from={tmp_path / 'copy'}", "model.dropout=0.3")
    shutil.rmtree(tmp_path / "copy")
    assert same_as_finished(measured(tuned.path, "last"), tuned)


NET = """
from torch import nn
def net():
    return nn.Sequential(nn.Linear(4, {0}), nn.Linear({0}, 3))
"""


def test_a_model_or_data_that_changed_since(own_code: Callable[[str], str], tmp_path: Path) -> None:
    ran = run_config(tmp_path / "runs", config("iris", f"model.name={own_code(NET.format(8))}:net"))
    other = own_code(NET.format(9))
    text = (ran.path / "config.toml").read_text()
    target = ran.launch.config.model.target  # type: ignore[union-attr]
    (ran.path / "config.toml").write_text(text.replace(target, f"{other}:net"))
    with pytest.raises(UserError, match="do not fit the model") as refused:
        measured(ran.path)
    assert "size mismatch" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 2
    (ran.path / "config.toml").write_text(text.replace("test = 0.2", "test = 0.3"))
    assert "data is not what it was" in measured(ran.path).warning


def test_the_loader_does_not_take_a_name_for_a_path(ran: Ran) -> None:
    assert evaluation.find(ran.path, "best.pt") == evaluation.find(ran.path, "best")
    assert evaluation.find(ran.path, None).name.startswith("best-b0")
    assert run_directory.read_meta(ran.path).begun


def test_both_are_measured_where_a_run_ends_with_its_last_weights(tmp_path: Path) -> None:
    """Ends with weights, and a sum, as if nothing else had been measured."""
    ran = run(tmp_path, "iris", *BEST_IS_NOT_LAST, "early_stopping.restore_best=false")
    end = ran.last
    assert end["best"]["step"] < end["step"]
    assert (end["weights"], end["weights_sha256"]) == ("last", ran.of("checkpoint")[-1]["weights_sha256"])
    assert measured(ran.path, "last").metrics == end["test"]
    assert measured(ran.path, "best").metrics == end["test_best"] != end["test"]


def test_the_best_is_measured_once(ran: Ran) -> None:
    assert (ran.last["weights"], ran.last["test_best"]) == ("best", None)
