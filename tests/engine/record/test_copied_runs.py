"""Runs whose NAME.pt are files: copied by what follows links, or written where there are none."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from support.resuming import go_on, live, repeated, start
from support.running import Ran

from trainconsole.engine.protocol.commands import Interrupt
from trainconsole.engine.runs.launch import reopen
from trainconsole.engine.session.evaluation import evaluate
from trainconsole.tui.state import run_list

INTERRUPT = Interrupt(signal="SIGTERM")


def refused(*args: Any, **options: Any) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


def interrupted(folder: Path) -> Ran:
    """Two epochs of six updates and a half."""
    return live(start(folder, "iris"), after={5: ["checkpoint mine"], 15: [INTERRUPT]})


def regular(run: Path) -> set[str]:
    files = (run / "checkpoints").iterdir()
    return {file.name for file in files if file.is_file() and not file.is_symlink()}


def copied(ran: Ran, folder: Path) -> Ran:
    """As scp -r does it: links followed, times of now, in any order."""
    copy = folder / "copied"
    shutil.copytree(ran.path, copy, copy_function=shutil.copyfile)
    for file in sorted((copy / "checkpoints").iterdir(), reverse=True):
        os.utime(file)
    return Ran(copy, replace(ran.launch, path=copy), ran.trainer, ran.status, ran.heard)


def test_after_a_copy_that_followed_links_resume_goes_on_and_keeps_what_was_there(tmp_path: Path) -> None:
    ran = interrupted(tmp_path / "a")
    copy = copied(ran, tmp_path)
    before = regular(copy.path)
    assert {"best.pt", "last.pt", "mine.pt"} < before
    again = live(go_on(copy), after={16: ["checkpoint mine", "rewind best"], 20: ["rewind mine"]})
    assert again.last["type"] == "finished"
    assert again.rejected == []
    assert again.of("resumed_run")[0]["checkpoint"] == "checkpoints/last-b0-s000015.pt"
    assert before <= regular(copy.path) | {"best.pt", "last.pt", "mine.pt"}
    assert (copy.path / "checkpoints" / "mine.pt").readlink().name == "mine-b1-s000016.pt"
    assert repeated(again, tmp_path / "b").last["weights_sha256"] == again.last["weights_sha256"]


def test_an_interrupted_run_is_evaluated_from_the_copy(tmp_path: Path) -> None:
    ran = interrupted(tmp_path / "a")
    copy = copied(ran, tmp_path)
    for name in ("best", "last", "mine"):
        found = [
            evaluate(reopen(path, default_data_dir=tmp_path), name).metrics for path in (ran.path, copy.path)
        ]
        assert found[0] == found[1]


WAYS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "another name of the file": lambda patch: patch.setattr(os, "symlink", refused),
    "a copy": lambda patch: (patch.setattr(os, "symlink", refused), patch.setattr(os, "link", refused))[0],
}


@pytest.mark.parametrize("way", WAYS)
def test_without_links_all_goes_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    WAYS[way](monkeypatch)
    ran = interrupted(tmp_path / "a")
    names = {"best.pt", "last.pt", "mine.pt"}
    assert names < regular(ran.path)
    again = live(go_on(ran), after={16: ["rewind best"], 17: ["rewind mine"], 18: ["checkpoint mine"]})
    assert again.last["type"] == "finished"
    assert again.rejected == []
    folder = again.path / "checkpoints"
    assert names < regular(again.path)
    assert not [name for name in os.listdir(folder) if name.startswith(".")]
    mine = torch.load(folder / "mine.pt", weights_only=True)
    assert (mine["branch"], mine["position"]["step"]) == (3, 18)
    found = evaluate(reopen(again.path, default_data_dir=tmp_path), "last")
    assert found.weights_sha256 == again.last["weights_sha256"]
    assert repeated(again, tmp_path / "b").last["weights_sha256"] == again.last["weights_sha256"]
    assert run_list.delete(again.path) == []
    assert not again.path.exists()


def test_in_one_session_nothing_piles_up_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "symlink", refused)
    ran = live(start(tmp_path, "iris"), after={step: ["checkpoint"] for step in range(1, 20)})
    lasts = [name for name in regular(ran.path) if name.startswith("last-b")]
    assert len(lasts) == 2


def test_sessions_without_a_copy_between_them_do_not_pile_up(tmp_path: Path) -> None:
    ran = live(start(tmp_path, "iris"), after={4: [INTERRUPT]})
    for step in (8, 12, 16):
        ran = live(go_on(ran), after={step: [INTERRUPT]})
    lasts = [name for name in regular(ran.path) if name.startswith("last-b")]
    assert sorted(lasts) == ["last-b2-s000012.pt", "last-b3-s000016.pt"]


def test_a_name_that_somebody_else_has_taken_is_refused(tmp_path: Path) -> None:
    ran = live(start(tmp_path, "iris"), after={4: [INTERRUPT]})
    theirs = ran.path / "checkpoints" / "resnet.pt"
    theirs.write_bytes(b"theirs")
    again = live(go_on(ran), after={8: ["checkpoint resnet", "checkpoint mine", "checkpoint mine"]})
    assert "choose another name" in again.rejected[0]["reason"]
    assert len(again.rejected) == 1
    assert theirs.read_bytes() == b"theirs"
