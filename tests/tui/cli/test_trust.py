"""Code that a run names runs only where this user has started the run, or said so: as real processes."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from support.process import Ended, only_run, trainconsole
from support.run_files import written

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.config.data import ImportedData
from trainconsole.engine.config.parsing import decode
from trainconsole.engine.protocol.events import (
    Branched,
    CheckpointSaved,
    CommandApplied,
    CommandRejected,
    Event,
)
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs import trust

VERBS = {"evaluate": [], "replay": ["--no-ui"], "resume": ["--no-ui"]}
CODE = """
from pathlib import Path
import torch
def load():
    Path("loaded").touch()
    return torch.rand(60, 4), torch.arange(60) % 3
class Step(torch.optim.SGD):
    pass
"""


def asked(verb: str, run: Path, cwd: Path, *more: str) -> Ended:
    return trainconsole(verb, str(run), *VERBS[verb], *more, cwd=cwd)


def foreign(folder: Path, *events: Event, **sections: object) -> Path:
    """A run as it comes out of an archive: this user's files, nothing of it in this user's state."""
    run = written(folder, *events)
    run_directory.write_config(run, decode({"data": {"name": "iris"}, "epochs": 2, **sections}))
    return run


@pytest.mark.parametrize("verb", VERBS)
def test_code_of_a_config_from_elsewhere_is_named_and_not_run(tmp_path: Path, verb: str) -> None:
    touch = {"name": "os:system", "args": {"command": "touch ran \x1b[31m"}}
    run = foreign(tmp_path / "runs", data=touch)
    ended = asked(verb, run, tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "imports os:system with" in ended.err
    assert "touch ran" in ended.err
    assert "--trust" in ended.err
    assert "\x1b" not in ended.err
    assert len(ended.err.splitlines()) <= 3
    assert not (tmp_path / "ran").exists()


LINE = "optimizer os:system lr=0.5"
ENTRY = (3, LINE, "ctl-1")


@pytest.mark.parametrize(
    "event",
    [
        Branched(step=0, branch=1, parent=0, at_step=0, why="resume", pending=(ENTRY,)),
        Branched(step=9, branch=1, parent=0, at_step=9, why="undo", lineage=(ENTRY,)),
        CommandApplied(step=3, branch=0, command=LINE.replace(" ", "   ", 1), id="ctl-1", origin="ctl"),
        CheckpointSaved(
            step=9, branch=0, path="", kind="last", epoch=1, weights_sha256="", lineage=((3, LINE),)
        ),
    ],
    ids=["pending", "lineage", "applied", "checkpoint"],
)
def test_code_of_a_command_in_the_record_needs_trust_too(tmp_path: Path, event: Event) -> None:
    run = foreign(tmp_path / "runs", event)
    named = trust.named(run_directory.read_config(run), run_directory.read_events(run)[0])
    assert [(code.target, code.where) for code in named] == [("os:system", LINE)]
    assert trust.unknown(run, named) == list(named)
    trust.remember(run, named)
    assert trust.unknown(run, named) == []


def test_a_pending_command_from_elsewhere_is_not_applied(tmp_path: Path) -> None:
    branched = Branched(step=0, branch=1, parent=0, at_step=0, why="resume", pending=(ENTRY,))
    run = foreign(tmp_path / "runs", branched)
    ended = asked("resume", run, tmp_path)
    assert ended.code == 2
    assert f"os:system ({LINE})" in ended.err


def test_what_is_built_in_or_was_refused_needs_none(tmp_path: Path) -> None:
    refused = CommandRejected(step=1, branch=0, command=LINE, id="ctl-1", origin="ctl", reason="no")
    run = foreign(tmp_path / "runs", refused, optimizer={"name": "sgd"})
    assert trust.named(run_directory.read_config(run), run_directory.read_events(run)[0]) == ()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a run of its own code, steered to an optimizer of its own, was started and ended."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "own.py").write_text(CODE)
    settings = [
        "--set",
        "data.name=own:load",
        "--set",
        "epochs=2",
        "--at",
        "step 1: optimizer own:Step lr=0.1",
    ]
    started = trainconsole(
        "--preset", "iris", "--no-ui", *settings, cwd=folder, XDG_STATE_HOME=str(folder / "state")
    )
    assert started.code == 0, started.err
    return folder


@pytest.fixture
def own(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That run in a folder of its own, with the state of who started it."""
    folder = Path(shutil.copytree(home, tmp_path / "home", symlinks=True))
    (folder / "loaded").unlink()
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    return folder


def test_what_was_started_here_is_trusted_wherever_it_lies(own: Path) -> None:
    kept = [*(own / "state" / "trainconsole" / "trusted").iterdir()]
    assert [file.stat().st_mode & 0o777 for file in kept] == [0o600]
    moved = only_run(own).rename(own / "renamed")
    ended = asked("evaluate", moved, own)
    assert ended.code == 0, ended.err


def test_another_config_is_asked_for_once(own: Path) -> None:
    run = only_run(own)
    config = run_directory.read_config(run)
    assert isinstance(config.data, ImportedData)
    run_directory.write_config(run, msgspec.structs.replace(config, seed=7))
    refused = asked("evaluate", run, own)
    assert refused.code == 2
    assert "own:load (data), own:Step (optimizer own:Step lr=0.1)" in refused.err
    assert not (own / "loaded").exists()
    assert asked("evaluate", run, own, "--trust").code == 0
    assert asked("evaluate", run, own).code == 0


def test_code_that_only_a_checkpoint_names_is_not_imported(own: Path) -> None:
    """It is read after all else was found to be known, in the process that trains."""
    run = only_run(own)
    (run / "events.jsonl").write_text(
        "".join(
            line for line in (run / "events.jsonl").read_text().splitlines(True) if "finished" not in line
        )
    )
    (last,) = [*(run / "checkpoints").glob("last-*.pt")]
    state = checkpoint.load(last)
    state["config"]["optimizer"] = {"name": "subprocess:Popen", "lr": 0.1}
    last.unlink()
    checkpoint.save(last.parent, last.name, "last", state)
    ended = asked("resume", run, own)
    assert ended.code == 2, ended.err
    assert "a checkpoint of this run names subprocess:Popen" in ended.err


def test_a_command_that_was_sent_is_trusted_later(hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(hosts.cwd)
    (hosts.cwd / "own.py").write_text(CODE)
    process, run = hosts.training("--set", "data.name=own:load", preset="iris", epochs=100_000)
    sent = trainconsole("ctl", run.name, "optimizer", "own:Step", "lr=0.1", cwd=hosts.cwd)
    assert sent.code == 0, sent.err
    process.terminate()
    assert process.wait(60) == 143
    named = trust.named(run_directory.read_config(run), run_directory.read_events(run)[0])
    assert [code.target for code in named] == ["own:load", "own:Step"]
    assert trust.unknown(run, named) == []


def test_the_list_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "MOST", 8)
    run = foreign(tmp_path / "runs")
    codes: Sequence[trust.Code] = [
        trust.Code(where="", target="a:b", command=f"optimizer a:b lr=0.{n}1") for n in range(20)
    ]
    for age, code in enumerate(codes):
        trust.remember(run, [code])
        for file in trust.folder().iterdir():
            os.utime(file, (file.stat().st_atime, file.stat().st_mtime - age - 1))
    assert len([*trust.folder().iterdir()]) <= 8
    assert trust.unknown(run, codes[-1:]) == []
    assert json.dumps([code.target for code in trust.unknown(run, codes[:1])]) == '["a:b"]'
