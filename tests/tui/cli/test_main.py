"""The command line: what answers at once, exit codes, and a run as --json tells it."""

import json

import pytest
from support.process import only_run, train, trainconsole

from trainconsole import presets
from trainconsole.engine.record import run_directory


def test_help_names_every_option(tmp_path):
    ended = trainconsole("--help", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    for option in ("--preset", "--no-ui", "--json", "--set", "--at", "--seed", "--device", "--threads"):
        assert option in ended.out
    assert trainconsole("-h", cwd=tmp_path).out == ended.out


def test_presets_are_listed_with_what_they_show(tmp_path):
    ended = trainconsole("presets", cwd=tmp_path)
    assert ended.code == 0
    text = " ".join(ended.out.split())
    for preset in presets.listing():
        (line,) = [line for line in ended.out.splitlines() if line.split()[:1] == [preset.name]]
        told = [preset.task, preset.data, preset.model, "yes" if preset.download else "no"]
        assert line.split()[1:] == told
        assert " ".join(preset.shows.split()) in text
    assert presets.names()[0] == "digits"


def test_a_preset_is_printed_as_it_stands(tmp_path):
    ended = trainconsole("presets", "mnist-swap", cwd=tmp_path)
    assert ended.out == presets.text("mnist-swap")
    wrong = trainconsole("presets", "mnist-swop", cwd=tmp_path)
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean 'mnist-swap'?" in wrong.err


SAMPLES = """
import torch

def load():
    print("hello from the data")
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 4, generator=g), torch.arange(60) % 3
    x[17, 2] = float("nan")
    return (x, y), (x[:15], y[:15])
"""


def test_json_is_the_events_and_nothing_else(tmp_path):
    """Also what the options lead to: each is in the record."""
    (tmp_path / "mine.toml").write_text(
        presets.text("iris") + '\n[[commands]]\nwhen = "step 3"\nwhat = "lr x2"\n'
    )
    ended = train(
        *("--preset", "mine.toml", "--set", "epochs=2", "--set", "optimizer.lr=0.004", "--seed", "7"),
        *("--at", "step 4: lr x0.25", "--at", "epoch 2: undo", "--threads", "1", "--name", "try me"),
        *("--runs-dir", "elsewhere"),
        cwd=tmp_path,
    )
    assert ended.err == ""
    (run,) = (tmp_path / "elsewhere").iterdir()
    assert ended.out == (run / "events.jsonl").read_text()
    assert run.name.endswith("_mine-try-me")
    started, last = ended.events[0], ended.events[-1]
    assert (started["type"], started["preset"], started["seed"]) == ("started", "mine", 7)
    assert (started["run"], started["threads"], started["device"]) == (run.name, 1, "cpu")
    assert (last["type"], last["step"]) == ("finished", 12)
    answers = ended.of("command_applied", "command_rejected")
    assert [answer["command"] for answer in answers][:2] == ["lr x2", "lr x0.25"]
    assert [answer["after"]["lr"] for answer in answers[:2]] == pytest.approx([0.008, 0.002])
    meta = json.loads((run / "meta.json").read_text())
    assert meta["command_line"][:3] == ["trainconsole", "--preset", "mine.toml"]
    kept = run_directory.read_config(run)
    assert (kept.seed, kept.epochs, kept.optimizer.lr, kept.on_nonfinite) == (7, 2, 0.004, "fail")
    assert [command.what for command in kept.commands] == ["lr x2", "lr x0.25", "undo"]


def test_a_run_that_fails_exits_with_1_and_says_why(tmp_path):
    """A sample with a NaN, on_nonfinite = fail (the default without a console)."""
    (tmp_path / "samples.py").write_text(SAMPLES)
    own = ["--set", "data.name=samples:load", "--set", "data.scaling=none"]
    args = ["--preset", "iris", "--no-ui", "--json", "--threads", "1"]
    ended = trainconsole(*args, *own, cwd=tmp_path, PYTHONUNBUFFERED="")
    run = only_run(tmp_path)
    assert ended.code == 1
    assert ended.out == (run / "events.jsonl").read_text()
    last = ended.events[-1]
    assert (last["type"], last["kind"]) == ("failed", "nonfinite")
    assert 17 in last["trouble"]["samples"] or last["trouble"]["layer"] == "inputs"
    assert (run / last["where"]).is_file()
    assert ended.err.startswith("trainconsole: ")
    assert f"step {last['step']}" in ended.err
    assert len(ended.err.strip().splitlines()) <= 3
    assert (run / "checkpoints" / "last.pt").is_file()
    assert "hello from the data" in (run / "host.log").read_text()
