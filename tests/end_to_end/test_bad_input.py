"""What a user can get wrong: the right exit code, a clear message, no traceback, nothing half-written."""

import os
import shutil
import struct
from pathlib import Path

import pytest
from support.process import AS_USER, Ended, trainconsole

OWN = {
    "broken.py": "import nothing_of_this_name\n",
    "nets.py": """
import torch
from torch import nn

class Wrong(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 3)
    def forward(self, x):
        return self.layer(x.flatten(1))

class NarrowInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 10)
    def forward(self, x):
        return self.layer(x)

class Raises(nn.Module):
    def __init__(self):
        raise RuntimeError("no such luck")

def number():
    return 3
""",
    "sets.py": """
import torch

def wrong_lengths():
    return torch.zeros(10, 3), torch.zeros(9)

def text():
    return "hello"

class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield torch.zeros(3), 0

def stream():
    return Stream()
""",
}


def preset(folder: Path, text: str) -> str:
    (folder / "mine.toml").write_text(text)
    return "mine.toml"


def refused(ended: Ended, text: str, cwd: Path, code: int = 2) -> None:
    """`text` is in the message; it is short; no run directory is left."""
    assert ended.code == code, ended.err
    assert text in ended.err
    assert "Traceback" not in ended.err
    message = ended.err[ended.err.rfind("trainconsole: ") :] if "trainconsole: " in ended.err else ended.err
    assert 1 <= len(message.strip().splitlines()) <= 3, message
    assert ended.out == ""
    assert not (cwd / "runs").is_dir() or list((cwd / "runs").iterdir()) == []


OPTIONS = [
    (["--preset", "digit"], "no preset 'digit', did you mean 'digits'?"),
    (["--preset", "none.toml"], "none.toml: No such file"),
    (["--preset", "."], "no preset '.'"),
    (
        ["--preset", "digits", "--set", "optimizer.name=adm"],
        "optimizer.name: unknown 'adm', did you mean 'adam'?",
    ),
    (["--preset", "digits", "--set", "optimizer.lr=-0.1"], "optimizer.lr: must be > 0.0, got -0.1"),
    (["--preset", "digits", "--set", "optimizer.lr=1e9"], "optimizer.lr: must be <= 100.0"),
    (["--preset", "digits", "--set", "optimizer.lr=fast"], "optimizer.lr: expected a number, got 'fast'"),
    (["--preset", "digits", "--set", "batch_size=0"], "batch_size: must be >= 1, got 0"),
    (["--preset", "digits", "--set", "epochs=2.5"], "epochs: expected a whole number, got 2.5"),
    (["--preset", "digits", "--set", "epoch=2"], "epoch: unknown key, did you mean 'epochs'?"),
    (["--preset", "digits", "--set", "epochs"], "expected KEY=VALUE"),
    (["--preset", "digits", "--set", "schedule.name=cosin"], "did you mean 'cosine'?"),
    (
        ["--preset", "digits", "--set", "model.name=resnet"],
        "model.name: unknown 'resnet', did you mean 'resnet18'?",
    ),
    (["--preset", "digits", "--set", "data.name=minst"], "data.name: unknown 'minst', did you mean 'mnist'?"),
    (["--preset", "digits", "--set", "loss.name=crossentropy"], "did you mean 'cross_entropy'?"),
    (["--preset", "digits", "--set", "early_stopping.metric=acc"], "unknown metric 'acc'"),
    (["--preset", "digits", "--at", "lr 0.1"], "expected 'WHEN: WHAT'"),
    (["--preset", "digits", "--at", "epoch 2: dance"], "unknown command 'dance'"),
    (["--preset", "digits", "--at", "epoch 0: lr 0.1"], "epochs count from 1"),
    (["--preset", "digits", "--at", "epoch 21: lr 0.1"], "beyond the end of the run, which has 20 epochs"),
    (["--preset", "digits", "--at", "epoch 2: optimizer adm"], "did you mean 'adam'?"),
    (["--preset", "digits", "--at", "epoch 2: set dropot 0.1"], "did you mean 'dropout'?"),
    (["--preset", "digits", "--set", "model.init_from=nothing"], "no run 'nothing'"),
    (["--preset", "digits", "--name", "x" * 300], "--name: 300 characters, at most 100"),
    (["--preset", "x" * 300 + ".toml"], "File name too long"),
    (["--json"], "--no-ui needs a preset"),
]

USAGE = [
    (["--preset", "digits", "--seed", "-1"], "--seed"),
    (["--preset", "digits", "--seed", "x"], "--seed"),
    (["--preset", "digits", "--threads", "0"], "--threads"),
    (["--preset", "digits", "--device", "tpu"], "--device"),
    (["--preset"], "--preset"),
    (["--prest", "digits"], "--preset"),
    (["dance"], "dance"),
]

FILES = [
    ("epochs = = 3", "mine.toml: not valid TOML"),
    ("epochs = 'three'", "mine.toml: epochs: expected a whole number, got 'three'"),
    ("[optimizer]\nmomentum = 0.9", "mine.toml: optimizer.name: missing"),
    ("[model]\nbatch_norm = True", "TOML has true for True"),
    ("[model]\nname = 'mlp'\nlayers = 3", "mine.toml: model.layers: unknown key"),
    ("[[commands]]\nwhen = 'epoch 1'", "mine.toml: commands[0].what: missing"),
    ("[[commands]]\nwhen = 'noon'\nwhat = 'pause'", "'noon' is no time"),
]

NEEDS_TORCH = [
    (["--set", "data.name=nothere:load"], "nothere"),
    (["--set", "data.name=sets:wrong_lengths"], "data"),
    (["--set", "data.name=sets:text"], "data"),
    (["--set", "data.name=sets:stream"], "data.length"),
    (["--set", "model.name=broken:Net"], "nothing_of_this_name"),
    (["--set", "model.name=nets:Missing"], "Missing"),
    (["--set", "model.name=nets:Wrong"], "(2, 3)"),
    (["--set", "model.name=nets:NarrowInput"], "(2, 1, 8, 8)"),
    (["--set", "model.name=nets:Raises"], "no such luck"),
    (["--set", "model.name=nets:number"], "torch.nn.Module"),
    (["--set", "loss.name=mse"], "loss.name: mse is not for classification"),
    (["--set", "loss.name=bce"], "loss.name: bce is for 2 classes"),
    (["--at", "step 100000: lr 0.1"], "beyond the end of the run"),
    (["--set", "model.freeze=['*']"], "all parameters are frozen"),
    (["--set", "model.freeze=['fc9']"], "matches no parameter"),
    (["--set", "evaluation.metric=r2"], "'r2' is not measured in classification"),
    (["--set", "data.classes=[0, 11]"], "data.classes"),
    (["--set", "data.name=iris"], "takes images"),
    (["--device", "cuda"], "--device cuda"),
]


@pytest.mark.parametrize(("args", "text"), OPTIONS, ids=[text for _, text in OPTIONS])
def test_a_wrong_option_is_named(args: list[str], text: str, tmp_path: Path) -> None:
    refused(trainconsole(*args, "--no-ui", cwd=tmp_path), text, tmp_path)


@pytest.mark.parametrize(("args", "text"), USAGE, ids=[" ".join(args) for args, _ in USAGE])
def test_wrong_usage_exits_with_2(args: list[str], text: str, tmp_path: Path) -> None:
    ended = trainconsole(*args, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert text in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(("content", "text"), FILES, ids=[text for _, text in FILES])
def test_a_bad_preset_file_is_named(content: str, text: str, tmp_path: Path) -> None:
    refused(trainconsole("--preset", preset(tmp_path, content), "--no-ui", cwd=tmp_path), text, tmp_path)


@pytest.mark.parametrize(("args", "text"), NEEDS_TORCH, ids=[" ".join(args) for args, _ in NEEDS_TORCH])
def test_what_shows_while_setting_up_leaves_nothing(args: list[str], text: str, tmp_path: Path) -> None:
    import torch

    if "cuda" in args and torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    for name, source in OWN.items():
        (tmp_path / name).write_text(source)
    refused(trainconsole("--preset", "digits", "--no-ui", *args, cwd=tmp_path), text, tmp_path)


def test_no_preset_and_no_terminal_is_the_usage(tmp_path: Path) -> None:
    ended = trainconsole(cwd=tmp_path)
    assert ended.code == 2
    assert "Usage: " in ended.err


def test_a_preset_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00\x01")
    refused(trainconsole("--preset", "mine.toml", "--no-ui", cwd=tmp_path), "not a text file", tmp_path)


def test_a_truncated_idx_file_is_named(tmp_path: Path) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 60), ("t10k", 20)):
        images = struct.pack(">IIII", 0x803, count, 28, 28) + bytes(count * 784)
        labels = struct.pack(">II", 0x801, count) + bytes(i % 10 for i in range(count))
        (raw / f"{part}-images-idx3-ubyte").write_bytes(images[:-100] if part == "train" else images)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    ended = trainconsole("--preset", "mnist", "--no-ui", "--data-dir", "data", cwd=tmp_path)
    refused(ended, "train-images-idx3-ubyte", tmp_path)


@pytest.fixture
def without_override() -> list[str]:
    """The prefix under which mode bits count, also for root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root ignores mode bits, and there is no setpriv to give that up")
    return AS_USER


def test_a_read_only_runs_directory(tmp_path: Path, without_override: list[str]) -> None:
    (tmp_path / "runs").mkdir(mode=0o555)
    ended = trainconsole("--preset", "digits", "--no-ui", cwd=tmp_path, prefix=without_override)
    refused(ended, "--runs-dir", tmp_path)


def test_an_unreadable_data_directory(tmp_path: Path, without_override: list[str]) -> None:
    (tmp_path / "data").mkdir(mode=0o000)
    ended = trainconsole(
        "--preset", "mnist", "--no-ui", "--data-dir", "data", cwd=tmp_path, prefix=without_override
    )
    (tmp_path / "data").chmod(0o755)
    refused(ended, "data", tmp_path)


def test_an_unreadable_preset(tmp_path: Path, without_override: list[str]) -> None:
    (tmp_path / "mine.toml").write_text("epochs = 1")
    (tmp_path / "mine.toml").chmod(0o000)
    ended = trainconsole("--preset", "mine.toml", "--no-ui", cwd=tmp_path, prefix=without_override)
    refused(ended, "Permission denied", tmp_path)


def test_a_full_name_that_is_a_file_where_runs_should_be(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    ended = trainconsole("--preset", "digits", "--no-ui", "--runs-dir", "elsewhere", cwd=tmp_path)
    refused(ended, "--runs-dir", tmp_path)


def test_a_label_smoothing_that_the_loss_has_not(tmp_path: Path) -> None:
    ended = trainconsole(
        "--preset", "diabetes", "--no-ui", "--set", "regularisation.label_smoothing=0.1", cwd=tmp_path
    )
    refused(ended, "label_smoothing", tmp_path)


def test_augmentation_of_what_is_no_image(tmp_path: Path) -> None:
    ended = trainconsole("--preset", "iris", "--no-ui", "--set", "regularisation.augment=1.0", cwd=tmp_path)
    refused(ended, "augmentation is for images", tmp_path)
