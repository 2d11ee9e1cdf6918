"""A folder of pictures as a set: what it is divided by, what is damaged, and reading by threads."""

import logging
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.picture_folders import SIDE, folder
from torchvision.transforms import v2

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import Digits, ImageFolder, Iris, Split
from trainconsole.engine.config.models import TorchvisionModel
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.data.load import Data, load
from trainconsole.engine.data.pictures import folder as picturefolder
from trainconsole.engine.data.pictures.folder import read_folder
from trainconsole.engine.data.pictures.rows import PictureRows, PictureSource
from trainconsole.engine.data.raw import TensorRows
from trainconsole.engine.training.construction import unprepared

CPU = torch.device("cpu")


def shades(dtype: str, white: float):
    """Bright ones at three quarters of `white`, dark ones at a quarter, each a little different."""

    def make(name: str, i: int):
        level = (0.75 if name == "bright" else 0.25) + i / 100
        return np.full((SIDE, SIDE), level * white).astype(dtype)

    return make


def config(root: Path, **more) -> ImageFolder:
    return ImageFolder(path=os.fspath(root), size=SIDE, **more)


def loaded(root: Path, **more) -> Data:
    return load(config(root, **more), 0, Path("unused"), CPU)


def refused(root: Path, **more) -> str:
    with pytest.raises(UserError) as caught:
        loaded(root, **more)
    assert len(str(caught.value).splitlines()) <= 3
    return str(caught.value)


KINDS = {
    "bytes": ("uint8", 255, "png", ""),
    "sixteen bits": ("uint16", 65_535, "png", "16-bit grey divided by 65,535"),
    "twelve of them": ("uint16", 4_095, "tif", "16-bit grey divided by 65,535 (the largest value is 3"),
    "floats to 1": ("float32", 1, "tif", ""),
    "floats to 255": ("float32", 255, "tif", "32-bit floats divided by 255"),
    "integers to 255": ("int32", 255, "tif", "32-bit integers divided by 255"),
    "integers to 65535": ("int32", 65_535, "tif", "32-bit integers divided by 65,535"),
}


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_numbers_lies_in_zero_to_one(tmp_path, monkeypatch, name, held):
    dtype, white, ending, said = KINDS[name]
    folder(tmp_path, shades(dtype, white), ending)
    monkeypatch.setattr(picturefolder, "IN_MEMORY", 2**31 if held else 0)
    data = loaded(tmp_path, split=Split(test=0, validation=0), workers=2)
    inputs, targets = next(data.train.batches(torch.arange(20), 0, 20))
    expected = torch.where(targets == 0, 0.75, 0.25) + torch.arange(10).repeat(2) / 100
    if name == "twelve of them":
        expected = expected * white / 65_535
    assert inputs.dtype == torch.float32
    assert torch.allclose(inputs, expected.view(-1, 1, 1, 1).expand_as(inputs), atol=1 / 255)
    assert [text.startswith(f"20 pictures of {said}") for text in data.said] == [True] * bool(said)
    assert data.warning == ""


@pytest.mark.parametrize(
    ("value", "reason"),
    [(-0.5, "the value -0.5"), (3000.0, "the value 3000"), (float("nan"), "not finite")],
)
def test_floats_of_which_white_is_not_known_are_refused(tmp_path, value, reason):
    folder(tmp_path, shades("float32", 1), "tif")
    odd = np.full((SIDE, SIDE), 0.5, "float32")
    odd[0, 0] = value
    Image.fromarray(odd).save(tmp_path / "dark" / "odd.tif")
    text = refused(tmp_path)
    assert f"{tmp_path / 'dark' / 'odd.tif'} holds 32-bit floats with" in text
    assert reason in text


def test_kinds_may_be_mixed_and_transparency_is_said(tmp_path):
    folder(tmp_path, shades("uint8", 255), classes=("bright",))
    folder(tmp_path, shades("float32", 1), "tif", classes=("dark",))
    clear = Image.merge("LA", (Image.new("L", (SIDE, SIDE), 0), Image.new("L", (SIDE, SIDE), 0)))
    clear.save(tmp_path / "bright" / "clear.png")
    data = loaded(tmp_path, split=Split(test=0, validation=0))
    assert data.said == ("1 picture with transparency laid over white",)
    assert data.train.inputs[10].unique().tolist() == [1.0]
    assert torch.allclose(data.train.inputs[11:].mean((1, 2, 3)), 0.25 + torch.arange(10) / 100, atol=1e-6)


def damage(root: Path, count: int) -> list[Path]:
    hurt = [root / "dark" / f"{i}.png" for i in range(count)]
    for path in hurt:
        path.write_bytes(path.read_bytes()[:50])
    return hurt


def test_all_damaged_pictures_are_told_at_once(tmp_path, caplog):
    hurt = damage(folder(tmp_path, shades("uint8", 255)), 7)
    with caplog.at_level(logging.WARNING, "trainconsole"):
        text = refused(tmp_path)
    assert text.startswith("data.path: 7 of 20 pictures cannot be read\n")
    assert all(str(path) in text for path in hurt[:5])
    assert str(hurt[5]) not in text
    assert "and 2 more" in text
    assert "data.on_damaged = 'skip'" in text
    assert [str(path) in record.getMessage() for path, record in zip(hurt, caplog.records, strict=True)]


@pytest.mark.parametrize("in_memory", [2**31, 0])
def test_damaged_pictures_can_be_left_out(tmp_path, monkeypatch, in_memory):
    damage(folder(tmp_path, shades("uint8", 255)), 7)
    monkeypatch.setattr(picturefolder, "IN_MEMORY", in_memory)
    data = loaded(tmp_path, on_damaged="skip", split=Split(test=0, validation=0))
    assert data.sizes["train"] == 13
    assert data.class_counts["train"] == {"bright": 10, "dark": 3}
    assert data.warning == "7 damaged pictures left out, named in host.log"
    damage(tmp_path, 10)
    assert "every picture of dark is damaged" in refused(tmp_path, on_damaged="skip")


def test_a_layout_is_divided_as_the_person_divided_it(tmp_path):
    for part, count in (("train", 10), ("valid", 3), ("test", 2)):
        folder(tmp_path / part, shades("uint8", 255), count=count)
    assert loaded(tmp_path).sizes == {"train": 20, "val": 6, "test": 4}
    os.rename(tmp_path / "test", tmp_path / ".test")
    assert loaded(tmp_path).sizes == {"train": 20, "val": 6, "test": 0}
    os.rename(tmp_path / "valid", tmp_path / "TEST")
    assert loaded(tmp_path).sizes == {"train": 18, "val": 2, "test": 6}


@pytest.mark.parametrize("in_memory", [2**31, 0])
def test_imagenets_mean_and_deviation_are_those_of_torchvision(tmp_path, monkeypatch, in_memory):
    rng = np.random.default_rng(0)
    folder(tmp_path, lambda name, i: rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8), count=5)
    monkeypatch.setattr(picturefolder, "IN_MEMORY", in_memory)
    whole = Split(test=0, validation=0)
    plain, scaled = (loaded(tmp_path, scaling=kind, split=whole) for kind in ("none", "imagenet"))
    (x, _), (x2, _) = (next(data.train.batches(torch.arange(10), 0, 10)) for data in (plain, scaled))
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    assert torch.allclose(v2.Normalize(mean, deviation)(x), x2, atol=1e-6)
    assert torch.allclose(scaled.black, torch.tensor([-m / d for m, d in zip(mean, deviation, strict=True)]))
    assert plain.black.tolist() == [0.0]


def test_pictures_that_such_weights_do_not_expect_are_told(tmp_path):
    folder(tmp_path, shades("uint8", 255))
    model = TorchvisionModel(architecture="resnet18", weights="DEFAULT")
    for scaling, told in (("none", True), ("imagenet", False), ("standard", False)):
        data = loaded(tmp_path, scaling=scaling)
        said = unprepared(RunConfig(model=model), data)
        assert ("data.scaling = 'imagenet'" in said) == told
    assert unprepared(RunConfig(model=TorchvisionModel(architecture="resnet18")), loaded(tmp_path)) == ""


def test_imagenets_numbers_are_for_colours():
    for data in (Digits(scaling="imagenet"), Iris(scaling="imagenet")):
        with pytest.raises(UserError, match="for images of 3 channels"):
            load(data, 0, Path("unused"), CPU)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A set of 40 noisy pictures, as large ones are read, with so many threads; and as it is held."""
    rng = np.random.default_rng(0)
    folder(tmp_path, lambda name, i: rng.integers(0, 256, (20, 30, 3), dtype=np.uint8), count=20)

    def made(workers: int, **more) -> tuple[PictureSource, Data]:
        held = loaded(tmp_path, **more)
        monkeypatch.setattr(picturefolder, "IN_MEMORY", 0)
        again = loaded(tmp_path, workers=workers, **more)
        assert isinstance(again.train, PictureSource)
        return again.train, held

    return made


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_threads_give_the_same_batches_as_memory_from_any_start(source, workers):
    streamed, held = source(workers, scaling="standard")
    order = held.order(0, 1)
    for start in (0, 3, 7, len(order)):
        pairs = list(zip(held.train.batches(order, start, 4), streamed.batches(order, start, 4), strict=True))
        assert sum(len(y) for (_, y), _ in pairs) == len(order) - start
        for (x, y), (x2, y2) in pairs:
            assert torch.allclose(x, x2, atol=1e-6)
            assert torch.equal(y, y2)


def test_a_feed_that_is_given_up_leaves_no_thread(source):
    streamed, held = source(3)
    feed = streamed.batches(held.order(0, 1), 0, 4)
    next(feed)
    feed.close()
    for thread in threading.enumerate():
        if thread.name.startswith("pictures"):
            thread.join(30)
            assert not thread.is_alive()


def test_a_picture_that_is_gone_in_mid_run_is_named(source, tmp_path):
    streamed, _ = source(2)
    os.remove(tmp_path / "dark" / "3.png")
    with pytest.raises(UserError, match=r"dark/3\.png could be read when the run began, and no longer"):
        list(streamed.batches(torch.arange(streamed.size), 0, 4))


def test_the_fingerprint_of_a_large_folder_knows_its_files(tmp_path, monkeypatch):
    folder(tmp_path, shades("uint8", 255))
    monkeypatch.setattr(picturefolder, "IN_MEMORY", 0)
    before = loaded(tmp_path).fingerprint
    assert loaded(tmp_path, workers=1).fingerprint == before
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "dark" / "3.png")
    assert loaded(tmp_path).fingerprint != before


def test_a_large_folder_is_read_in_full_once_and_again_where_a_file_changes(tmp_path, monkeypatch):
    folder(tmp_path, shades("float32", 255), "tif")
    monkeypatch.setattr(picturefolder, "IN_MEMORY", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path / ".cache"))
    read, passes = picturefolder.in_threads, []
    monkeypatch.setattr(picturefolder, "in_threads", lambda *args: passes.append(1) or read(*args))
    first, again = loaded(tmp_path), loaded(tmp_path)
    assert (len(passes), first.said, first.fingerprint) == (1, again.said, again.fingerprint)
    (tmp_path / "dark" / "0.tif").write_bytes(b"")
    assert "1 of 20 pictures" in refused(tmp_path)
    assert "1 of 20 pictures" in refused(tmp_path)
    assert len(passes) == 2
    for path in (tmp_path / ".cache").rglob("*.json"):
        path.write_bytes(b"{")
    assert "1 damaged picture left out" in loaded(tmp_path, on_damaged="skip").warning
    assert len(passes) == 3


def test_classes_can_be_chosen_and_relabelled_held_or_not(tmp_path, monkeypatch):
    folder(tmp_path, shades("uint8", 255), count=2, classes=("a", "b", "c"))
    for kind, in_memory in ((TensorRows, 2**31), (PictureRows, 0)):
        monkeypatch.setattr(picturefolder, "IN_MEMORY", in_memory)
        assert isinstance(read_folder(config(tmp_path)).train, kind)
        data = loaded(tmp_path, classes=(2, 0), split=Split(test=0, validation=0))
        assert data.classes == ("c", "a")
        assert sorted(y for _, ys in data.train.batches(torch.arange(4), 0, 4) for y in ys.tolist()) == [
            0,
            0,
            1,
            1,
        ]
