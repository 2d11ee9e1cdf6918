"""The run directory of a real run: checkpoints, meta.json, config.toml, metrics.bin, events.jsonl."""

import json

import numpy as np
import pytest
import torch
from support.running import config, run, run_config

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.protocol.events import CommandApplied
from trainconsole.engine.protocol.grammar import parse
from trainconsole.engine.record import run_directory

STEPS = 6
"""Updates in an epoch of iris: 96 flowers in batches of 16."""


def test_checkpoints_stand_at_the_end(plain_run):
    links = sorted(path.name for path in (plain_run.path / "checkpoints").iterdir() if path.is_symlink())
    assert links == ["best.pt", "last.pt"]
    newest = {event["kind"]: event for event in plain_run.of("checkpoint")}
    assert set(newest) == {"best", "last"}
    for event in newest.values():
        file = plain_run.path / event["path"]
        state = checkpoint.load(file)
        assert event["weights_sha256"] == checkpoint.weights_sha256(state["model"])
        assert (event["step"], event["epoch"]) == (state["position"]["step"], state["position"]["epoch"])
        assert (plain_run.path / "checkpoints" / f"{event['kind']}.pt").resolve() == file.resolve()
    assert plain_run.checkpoint("best")["position"]["step"] == plain_run.last["best"]["step"]


def test_a_checkpoint_has_what_a_user_needs(plain_run):
    state = plain_run.checkpoint("last")
    assert state["classes"] == ["setosa", "versicolor", "virginica"]
    assert len(state["scaling"]["offset"]) == 4
    assert state["lineage"] == []
    assert state["position"] == {"step": 4 * STEPS, "epoch": 4, "consumed": 0}
    assert state["best"] == plain_run.last["best"]
    assert state["config"]["optimizer"]["name"] == "adam"
    assert {"model", "optimizer", "plan", "random", "patience"} <= set(state)


def test_a_checkpoint_asked_for_is_the_state_of_its_step(tmp_path):
    ran = run(tmp_path, at=["step 7: checkpoint before-swap", "step 7: lr 0.5", "step 9: checkpoint"])
    (named,) = [event for event in ran.of("checkpoint") if event["kind"] == "named"]
    last = next(event for event in ran.of("checkpoint") if event["kind"] == "last" and event["step"] > 6)
    assert (named["kind"], named["step"], named["epoch"]) == ("named", 7, 1)
    assert (last["kind"], last["step"]) == ("last", 9)
    state = ran.checkpoint("before-swap")
    assert state["lineage"] == []
    assert named["weights_sha256"] == checkpoint.weights_sha256(state["model"])
    answered = ran.path / ran.applied[0]["after"]["path"]
    assert answered.resolve() == (ran.path / named["path"]).resolve()
    stopped = run(tmp_path, at=["step 7: stop"])
    assert stopped.last["weights_sha256"] == named["weights_sha256"]


@pytest.mark.parametrize("name", ["checkpoint", "checkpoint here"])
def test_a_second_checkpoint_of_one_step_takes_the_commands_in_between(tmp_path, name):
    ran = run(tmp_path, after={8: [name, "lr 0.5", name, "stop"]})
    assert ran.rejected == []
    link = name.partition(" ")[2] or "last"
    assert [8, "lr 0.5"] in [entry[:2] for entry in ran.checkpoint(link)["lineage"]]
    assert [8, "lr 0.5"] in [entry[:2] for entry in ran.checkpoint("last")["lineage"]]


def test_metrics_bin_is_read_with_what_meta_says(plain_run):
    meta = json.loads((plain_run.path / "meta.json").read_text())
    dtype = np.dtype([tuple(entry) for entry in meta["rows"]])
    assert dtype.itemsize == 40
    rows = np.fromfile(plain_run.path / "metrics.bin", dtype=dtype)
    assert rows["step"].tolist() == list(range(1, 4 * STEPS + 1))
    assert np.array_equal(rows["loss"], plain_run.rows["loss"])


def test_meta_describes_the_run(plain_run):
    meta = json.loads((plain_run.path / "meta.json").read_text())
    assert (meta["format"], meta["preset"], meta["seed"], meta["device"]) == (1, "test", 0, "cpu")
    assert {"trainconsole", "torch", "torchvision", "numpy", "python"} <= set(meta["versions"])
    assert meta["data"]["sizes"] == {"train": 96, "val": 24, "test": 30}
    counts = meta["data"]["class_counts"]
    assert {part: sum(classes.values()) for part, classes in counts.items()} == meta["data"]["sizes"]
    assert set(counts["train"]) == {"setosa", "versicolor", "virginica"}
    assert len(meta["data"]["fingerprint"]) == 64
    assert (meta["metric"], meta["maximised"]) == ("accuracy", True)
    started = plain_run.of("started")[0]
    assert meta["parameters"] == started["parameters"] == sum(x["parameters"] for x in meta["layers"])
    assert meta["layers"] == started["layers"]
    (session,) = meta["sessions"]
    assert session["threads"] == started["threads"] == 1
    assert {"start", "host", "torch"} <= set(session)


def test_meta_says_whether_less_is_better(tmp_path):
    meta = run_directory.read_meta(run(tmp_path, "diabetes", "epochs=1").path)
    assert (meta.metric, meta.maximised) == ("mae", False)


def test_config_toml_holds_what_was_asked(tmp_path):
    asked = config("iris", "optimizer.lr=0.02", at=["step 3: lr 0.1"])
    kept = run_directory.read_config(run_config(tmp_path, asked).path)
    assert kept.on_nonfinite == "pause"
    assert (kept.optimizer.lr, kept.epochs) == (0.02, 4)
    assert [(command.when, command.what) for command in kept.commands] == [("step 3", "lr 0.1")]


def test_events_decode_to_what_was_sent(plain_run):
    events, offset = run_directory.read_events(plain_run.path)
    assert events == plain_run.heard.events
    assert offset == (plain_run.path / "events.jsonl").stat().st_size


def test_every_command_in_a_record_is_in_the_grammar(tmp_path):
    ran = run(tmp_path, at=["step 2:  optimizer   sgd  lr=0.1 ", "step 3: lr  x0.5"])
    for event in ran.heard.events:
        if isinstance(event, CommandApplied):
            parse(event.command)
    assert [text for _, text in ran.last["lineage"]] == ["optimizer sgd lr=0.1", "lr x0.5"]
    assert ran.applied[1]["after"]["lr"] == pytest.approx(0.05)


@pytest.mark.parametrize("supported", [True, False])
def test_a_precision_that_the_processor_lacks_is_warned_of(tmp_path, monkeypatch, supported):
    if not torch.backends.mkldnn.is_available():
        pytest.skip("torch comes without oneDNN here")
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: supported)
    ran = run(tmp_path, "iris", "epochs=1", "precision=bfloat16")
    whys = [event["why"] for event in ran.of("warning") if event["why"].startswith("precision bfloat16")]
    assert len(whys) == (not supported)
    assert all("--set precision=float32" in why for why in whys)
    assert run(tmp_path, "iris", "epochs=1").of("warning") == []
