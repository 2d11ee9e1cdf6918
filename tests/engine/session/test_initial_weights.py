"""A run that begins with the weights of another: what it may be measured on, and what it needs later."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from support.running import Ran, config, run, run_config

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data import row_hashes
from trainconsole.engine.data.pictures.rows import PictureRows
from trainconsole.engine.data.raw import DatasetRows, TensorRows
from trainconsole.engine.data.row_hashes import Seen, keys
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs.launch import prepare, reopen
from trainconsole.engine.runs.replay import compare, recipe
from trainconsole.engine.runs.source_run import WEIGHTS
from trainconsole.engine.session.setup import set_up
from trainconsole.tui.state import run_list as listing

SMALL = ("epochs=1", "data.limit=300", "model.channels=[2]", "model.fc=[4]")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Seed 0, on digits."""
    return run(tmp_path_factory.mktemp("runs"), "digits", *SMALL)


def tuned(folder: Path, source: Path, *more: str) -> Ran:
    return run(folder, "digits", *SMALL, f"model.init_from={source}", *more)


def said(ran: Ran) -> str:
    return " | ".join(event["why"] for event in ran.of("warning"))


def trained_on(ran: Ran) -> set[bytes]:
    return {row.numpy().tobytes() for row in ran.trainer.data.train.inputs}


def measured_on(ran: Ran) -> set[bytes]:
    parts = (ran.trainer.data.val, ran.trainer.data.test)
    return {row.numpy().tobytes() for part in parts for row in part.inputs}


# --- which rows -------------------------------------------------------------------------------------------


def test_under_another_seed_the_rows_are_divided_as_the_source_did(source, tmp_path):
    ran = tuned(tmp_path, source.path, "seed=7")
    assert ran.trainer.config.data.split.seed == 0
    assert f"rows divided by the seed 0 of {source.path.name}" in said(ran)
    assert torch.equal(ran.trainer.data.test.inputs, source.trainer.data.test.inputs)
    assert not trained_on(source) & measured_on(ran)
    assert run_directory.read_config(ran.path).data.split.seed == 0


def test_a_seed_of_ones_own_is_refused_with_the_remedy(source, tmp_path):
    with pytest.raises(UserError) as caught:
        tuned(tmp_path, source.path, "data.split.seed=7")
    text = str(caught.value)
    assert f"{source.path.name} was trained on" in text
    assert "of 360 test rows" in text
    assert "data.split.on_seen = 'drop'" in text
    assert len(text.splitlines()) == 2


def test_rows_that_were_seen_can_be_left_out_or_taken_all_the_same(source, tmp_path):
    other = ("data.split.seed=7",)
    kept = tuned(tmp_path, source.path, *other, "data.split.on_seen=keep")
    seen = trained_on(source)
    assert seen & measured_on(kept)
    dropped = tuned(tmp_path, source.path, *other, "data.split.on_seen=drop")
    assert not seen & measured_on(dropped)
    assert measured_on(dropped) == measured_on(kept) - seen
    assert "test rows left out" in said(dropped)


def test_what_the_source_began_with_counts_too(source, tmp_path):
    """Weights that come from a run that came from a run."""
    apart = ("data.classes=[0, 1]", "data.split.seed=7", "data.split.on_seen=keep")
    middle = tuned(tmp_path, source.path, *apart)
    with pytest.raises(UserError, match="was trained on"):
        tuned(tmp_path, middle.path, "data.classes=[5, 6, 7, 8, 9]", "data.split.seed=8")


def test_other_rows_of_the_same_set_and_duplicates_are_no_concern(tmp_path):
    """Two flowers of iris are the same, and may stand on both sides of any division."""
    first = run(tmp_path, "digits", *SMALL, "data.classes=[0, 1]")
    tuned(tmp_path, first.path, "data.classes=[5, 6, 7]", "data.split.seed=3")
    again = run(tmp_path, "iris", f"model.init_from={run(tmp_path, 'iris').path}")
    assert again.trainer.data.sizes == {"train": 96, "val": 24, "test": 30}


def test_evaluate_measures_on_the_rows_that_were_left(source, tmp_path):
    from trainconsole.engine.session.evaluation import evaluate

    ran = tuned(tmp_path, source.path, "data.split.seed=7", "data.split.on_seen=drop")
    launch = reopen(ran.path, default_data_dir=tmp_path)
    assert evaluate(launch, "last").rows == ran.trainer.data.sizes["test"]


# --- how it is known --------------------------------------------------------------------------------------


def test_a_tensors_keys_are_of_its_bytes_alone():
    rng = np.random.default_rng(0)
    for shape, kind in (((500, 3), "float64"), ((300, 1, 5, 5), "uint8"), ((200, 7), "float32")):
        inputs = torch.from_numpy((rng.random(shape) * 255).astype(kind))
        rows = TensorRows(inputs, torch.arange(len(inputs)))
        found = keys(rows)
        assert (found.dtype, len(np.unique(found))) == (np.uint64, len(inputs))
        order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
        assert np.array_equal(keys(rows.take(order)), found[order.numpy()])
        changed = inputs.clone()
        changed.view(len(inputs), -1)[3, -1] += 1
        assert np.flatnonzero(keys(TensorRows(changed, rows.targets)) != found).tolist() == [3]


def test_keys_do_not_depend_on_how_many_are_taken_at_a_time(monkeypatch):
    rows = TensorRows(torch.arange(600.0).view(100, 6), torch.arange(100))
    whole = keys(rows)
    monkeypatch.setattr(row_hashes, "CHUNK", 100)
    assert np.array_equal(keys(rows), whole)


class Numbers(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 50

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.full((2,), float(index)), index % 2


def test_a_datasets_keys_are_its_indices_and_a_pictures_its_file(tmp_path):
    rows = DatasetRows(Numbers(), (2,), torch.tensor(0))
    found = keys(rows)
    assert len(np.unique(found)) == 50
    twice = rows.take(torch.arange(10, 40)).take(torch.tensor([3, 5]))
    assert np.array_equal(keys(twice), found[[13, 15]])
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("L", (2, 2)).save(tmp_path / name / "1.png")
        paths.append(os.fspath(tmp_path / name / "1.png"))
    pictures = PictureRows(tuple(paths), torch.tensor([0, 1]), 2, {}, 0)
    assert len(np.unique(keys(pictures))) == 2
    (tmp_path / "c").symlink_to(tmp_path / "a")
    linked = replace_paths(pictures, tmp_path / "c" / "1.png")
    assert np.array_equal(keys(linked), keys(pictures)[:1])


def replace_paths(rows: PictureRows, path: Path) -> PictureRows:
    return PictureRows((os.fspath(path),), rows.labels[:1], rows.size, rows.divisors, rows.workers)


def test_the_record_of_rows_is_sorted_and_may_be_missing(tmp_path):
    assert len(row_hashes.read(tmp_path)) == 0
    row_hashes.write(tmp_path, np.array([3, 1, 3], np.uint64), Seen(np.array([2**64 - 1], np.uint64), "x"))
    assert row_hashes.read(tmp_path).tolist() == [1, 3, 2**64 - 1]
    assert (tmp_path / row_hashes.FILE).read_bytes() == np.array([1, 3, 2**64 - 1], "<u8").tobytes()


# --- what is told -----------------------------------------------------------------------------------------


def test_another_scaling_and_another_order_of_classes_are_told(tmp_path):
    first = run(tmp_path, "iris", "data.classes=[0, 1]", "data.split.seed=0")
    begin = f"model.init_from={first.path}"
    changes = ("data.classes=[1, 0]", "data.scaling=minmax", "data.split.on_seen=keep")
    ran = run(tmp_path, "iris", begin, *changes)
    assert "classes are not those of" in said(ran)
    assert "in another order, so the last layer starts fresh" in said(ran)
    assert "there setosa, versicolor; here versicolor, setosa" in said(ran)
    assert "data.scaling is 'minmax', but" in said(ran)
    assert "was trained with 'standard'" in said(ran)
    same = run(tmp_path, "iris", begin, "data.classes=[0, 1]", "data.split.seed=0")
    assert said(same) == ""


# --- without its source -----------------------------------------------------------------------------------


@pytest.fixture
def orphan(source, tmp_path) -> Ran:
    """A run that began with a run that is gone."""
    shutil.copytree(source.path, tmp_path / "gone", symlinks=True)
    ran = tuned(tmp_path / "runs", tmp_path / "gone", "epochs=2")
    shutil.rmtree(tmp_path / "gone")
    return ran


def test_what_it_began_with_is_kept(orphan, source):
    kept = torch.load(orphan.path / WEIGHTS, weights_only=True)
    best = source.checkpoint("best")["model"]
    assert {name: torch.equal(kept["model"][name], best[name]) for name in best} == dict.fromkeys(best, True)
    assert "optimizer" not in kept
    assert checkpoint.load(orphan.path / WEIGHTS)["source"] == "gone"


@pytest.mark.parametrize(
    "change",
    [
        {"model": [1]},
        {"classes": "01"},
        {"scaling": {}},
        {"source": 3},
        {"seen": torch.zeros(2)},
        {"seen": None},
    ],
)
def test_a_file_of_other_things_is_one_message(orphan, tmp_path, change):
    kept = checkpoint.load(orphan.path / WEIGHTS)
    checkpoint.write(orphan.path / WEIGHTS, {**kept, **change})
    with pytest.raises(UserError, match="no weights that a run of ours began with"):
        set_up(reopen(orphan.path, default_data_dir=tmp_path), lambda stage: None)


def test_it_is_replayed(orphan, tmp_path):
    wanted = recipe(orphan.path)
    again = run_config(tmp_path / "again", wanted.config)
    assert compare(orphan.path, again.path, wanted)[0]
    shutil.rmtree(orphan.path)
    third = recipe(again.path)
    assert compare(again.path, run_config(tmp_path / "third", third.config).path, third)[0]


def test_it_is_set_up_again_as_it_was_also_after_it_was_moved(orphan, tmp_path):
    orphan.path.rename(tmp_path / "moved")
    trainer = set_up(reopen(tmp_path / "moved", default_data_dir=tmp_path), lambda stage: None)
    fresh = orphan.trainer.fresh()
    assert trainer.weights_sha256() == fresh.weights_sha256()


def test_a_checkpoint_file_can_be_begun_with(source, tmp_path):
    ran = tuned(tmp_path, source.path / "checkpoints" / "last.pt", "seed=7")
    assert ran.trainer.config.data.split.seed == 0
    kept, last = checkpoint.load(ran.path / WEIGHTS), source.checkpoint("last")
    assert all(torch.equal(kept["model"][name], last["model"][name]) for name in last["model"])
    with pytest.raises(UserError, match="no such file"):
        tuned(tmp_path, tmp_path / "nothing.pt")


def test_prune_spares_what_an_older_run_needs(source, tmp_path):
    """One that kept none of what it began with, as earlier versions did; and what that one needs."""
    chosen = config("digits", *SMALL)
    made = [source.path.name]
    shutil.copytree(source.path, tmp_path / made[0], symlinks=True)
    for name in ("b", "c"):
        needs = replace(chosen, model=replace(chosen.model, init_from=str(tmp_path / made[-1])))
        launch = prepare(needs, name, runs=tmp_path, data_dir=tmp_path)
        made.append(launch.path.name)
    first, second, third = (tmp_path / name for name in made)
    assert listing.spared([first, second], tmp_path) == ([], {second: [third.name], first: [second.name]})
    assert listing.spared([first, second, third], tmp_path) == ([first, second, third], {})
    (second / WEIGHTS).touch()
    assert listing.spared([first], tmp_path) == ([first], {})
