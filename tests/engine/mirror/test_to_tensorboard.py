"""A mirror in TensorBoard files, read by TensorBoard: each point once, the curve in force, come what may."""

import os
import random
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.growing import SHA, Growing, story, told
from support.mirroring import event_file, killed, mirrored, points, records, texts
from support.process import trainconsole

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.mirror import follow, targets
from trainconsole.engine.mirror.tools.event_file import EventFile
from trainconsole.engine.protocol.events import Failed, Interrupted
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs import branches

pytest.importorskip("tensorboard", reason="the tensorboard extra is not installed")


def in_force(run: Path) -> Any:
    return branches.in_force(run_directory.read_rows(run), run_directory.read_events(run)[0])


def test_tensorboard_shows_the_curve_in_force_and_all_that_was_said(tmp_path: Path) -> None:
    run = told(tmp_path).path
    done = mirrored(run, tmp_path / "tb", follows=True)
    assert done.ending == "completed"
    found, wanted = points(tmp_path / "tb", run), in_force(run)
    assert len(wanted) < len(run_directory.read_rows(run))
    assert [step for step, _ in found["loss"]] == wanted["step"].tolist()
    losses = [None if np.isnan(loss) else loss for loss in wanted["loss"].tolist()]
    assert [value for _, value in found["loss"]] == losses
    assert found["accuracy"][-1] == (int(wanted["step"][-1]), float(wanted["metric"][-1]))
    assert [step for step, _ in found["grad_norm"]] == [s for s in wanted["step"].tolist() if s % 3 == 0]
    epochs = branches.epochs_in_force(run_directory.read_events(run)[0])
    assert [step for step, _ in found["val/loss"]] == [epoch.step for epoch in epochs]
    assert found["val/accuracy"][0][1] is None
    assert found["test/loss"] == [(int(wanted["step"][-1]), 0.25)]
    assert len(found["my/number"]) == len({step for step, _ in found["my/number"]}) > 30
    ((_, config),) = texts(tmp_path / "tb", run, "config")
    assert "[optimizer]" in config
    commands = texts(tmp_path / "tb", run, "commands")
    assert any("lr 4  (half of it)" in text for _, text in commands)
    ((_, result),) = texts(tmp_path / "tb", run, "result")
    assert "completed" in result
    assert SHA in result


def test_a_second_mirror_adds_nothing(tmp_path: Path) -> None:
    run = told(tmp_path).path
    mirrored(run, tmp_path / "tb")
    before = event_file(tmp_path / "tb", run).read_bytes()
    mirrored(run, tmp_path / "tb")
    assert event_file(tmp_path / "tb", run).read_bytes() == before


def test_cut_anywhere_it_is_completed_to_the_same(tmp_path: Path) -> None:
    run = told(tmp_path).path
    mirrored(run, tmp_path / "tb")
    file = event_file(tmp_path / "tb", run)
    whole, wanted = file.read_bytes(), points(tmp_path / "tb", run)
    dice = random.Random(1)
    for cut in [0, 5, 30, 60, *(dice.randrange(len(whole)) for _ in range(40))]:
        file.write_bytes(whole[:cut])
        mirrored(run, tmp_path / "tb")
        assert file.read_bytes() == whole, cut
    file.write_bytes(whole[: len(whole) // 2] + bytes(1000))
    mirrored(run, tmp_path / "tb")
    assert points(tmp_path / "tb", run) == wanted


def test_looked_at_after_each_word_it_is_the_same(tmp_path: Path) -> None:
    run = Growing(tmp_path)
    for number, part in enumerate(story(run)):
        part()
        if number % 3 == 0:
            mirrored(run.path, tmp_path / "tb")
    mirrored(run.path, tmp_path / "tb")
    mirrored(run.path, tmp_path / "whole")
    assert points(tmp_path / "tb", run.path) == points(tmp_path / "whole", run.path)
    assert texts(tmp_path / "tb", run.path, "commands") == texts(tmp_path / "whole", run.path, "commands")


def test_killed_at_any_moment_nothing_is_repeated_and_nothing_missing(tmp_path: Path) -> None:
    run = Growing(tmp_path)
    arguments = ["mirror", str(run.path), "--to", "tensorboard:tb"]
    parts = story(run)
    next(parts)()
    assert killed(arguments, parts, tmp_path, least=0.5) >= 6
    ended = trainconsole(*arguments, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{run.path.name}: mirrored to tensorboard:tb: {run.step} steps, completed\n"
    mirrored(run.path, tmp_path / "whole")
    assert records(event_file(tmp_path / "tb", run.path)) == records(event_file(tmp_path / "whole", run.path))
    assert points(tmp_path / "tb", run.path) == points(tmp_path / "whole", run.path)


def test_a_rewind_to_a_branch_that_had_been_left_brings_its_curve_back(tmp_path: Path) -> None:
    run = Growing(tmp_path)
    run.begin()
    run.train(50)
    run.number("mine", 50.0)
    run.epoch(1)
    run.back(20)
    run.train(5)
    run.number("mine", 25.0)
    run.back(50, parent=0, why="rewind")
    run.train(5)
    run.epoch(2)
    mirrored(run.path, tmp_path / "tb")
    found, wanted = points(tmp_path / "tb", run.path), in_force(run.path)
    assert wanted["branch"].tolist() == [0] * 50 + [2] * 5
    assert [step for step, _ in found["loss"]] == list(range(1, 56))
    assert found["loss"][29] == (30, 30.0)
    assert found["mine"] == [(50, 50.0)]
    assert [step for step, _ in found["val/loss"]] == [50, 55]


def test_commands_of_one_step_are_told_together(tmp_path: Path) -> None:
    run = Growing(tmp_path)
    run.begin()
    run.train(3)
    run.command("lr 1")
    mirrored(run.path, tmp_path / "tb")
    run.command("batch 8")
    mirrored(run.path, tmp_path / "tb")
    first, second = texts(tmp_path / "tb", run.path, "commands")
    assert first == (3, "    step 3: lr 1")
    assert second == (3, "    step 3: lr 1\n    step 3: batch 8")
    run.train(4)
    run.epoch(1)
    run.back(3)
    mirrored(run.path, tmp_path / "tb")
    *_, third = texts(tmp_path / "tb", run.path, "commands")
    assert third[1].splitlines()[-3:] == ["    step 3: lr 1", "    step 3: batch 8", "    step 3: undo"]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (Interrupted(step=3, branch=0, signal="SIGTERM", checkpoint=""), "interrupted"),
        (Failed(step=3, branch=0, reason="the loss\x1b[2J is\nNaN", where="host.log"), "failed"),
    ],
    ids=["interrupted", "failed"],
)
def test_a_run_that_ends_otherwise_is_over_too(tmp_path: Path, end: Any, words: str) -> None:
    run = Growing(tmp_path)
    run.begin()
    run.train(3)
    run.say(end)
    assert mirrored(run.path, tmp_path / "tb", follows=True).ending == words
    ((step, text),) = texts(tmp_path / "tb", run.path, "result")
    assert (step, words in text, "\x1b" in text) == (3, True, False)


def test_one_whose_host_is_gone_is_over_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "GRACE", 0.1)
    monkeypatch.setattr(follow, "POLL", 0.05)
    run = Growing(tmp_path)
    run.begin()
    run.train(3)
    run.tear()
    assert mirrored(run.path, tmp_path / "tb", follows=True).ending == ""
    assert [step for step, _ in points(tmp_path / "tb", run.path)["loss"]] == [1, 2, 3]


def test_a_run_that_has_not_begun_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Growing(tmp_path)
    with pytest.raises(UserError, match="has not begun, so there is nothing to mirror"):
        mirrored(run.path, tmp_path / "tb")
    assert not (tmp_path / "tb").exists()
    parts = story(run)

    def sleep(seconds: float) -> None:
        for part in parts:
            part()

    place = targets.where(f"tensorboard:{tmp_path / 'tb'}")
    follow.mirror(run.path, [partial(targets.opened, place)], sleep=sleep)
    assert len(points(tmp_path / "tb", run.path)["loss"]) == len(in_force(run.path))
    monkeypatch.setattr(follow, "GRACE", 0.0)
    with pytest.raises(UserError, match="nobody is about to begin it"):
        mirrored(Growing(tmp_path, "idle").path, tmp_path / "tb", follows=True)


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    run = Growing(tmp_path, metric="acc\x1b]0;x\x07\u202e")
    run.begin()
    run.train(2)
    run.number("../../etc/\x1b[31m", 1.0)
    run.number("loss", 2.0)
    run.number("away", 3.0, file="../away.bin")
    (run.path / "scalars" / "link.bin").symlink_to("/etc/passwd")
    run.number("link", 4.0, file="n9.bin")
    run.command("set \x1b[2J 1", "note \u202e\nmore")
    mirrored(run.path, tmp_path / "tb")
    found = points(tmp_path / "tb", run.path)
    assert all(tag.isprintable() for tag in found)
    assert found["own/loss"] == [(2, 2.0)]
    assert len(found["loss"]) == 2
    assert "away" not in found
    assert [value for tag, values in found.items() if tag.startswith("../") for _, value in values] == [1.0]
    ((_, said),) = texts(tmp_path / "tb", run.path, "commands")
    assert "\x1b" not in said
    assert "\n" not in said


def test_a_second_mirror_at_once_is_refused(tmp_path: Path) -> None:
    run = told(tmp_path).path
    mirrored(run, tmp_path / "tb")
    held = EventFile(event_file(tmp_path / "tb", run))
    with pytest.raises(UserError, match="another mirror of this run") as refused:
        mirrored(run, tmp_path / "tb")
    assert len(str(refused.value).splitlines()) == 2
    held.close()
    mirrored(run, tmp_path / "tb")


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    run = told(tmp_path).path
    (tmp_path / "tb" / run.name).mkdir(parents=True)
    (tmp_path / "tb" / run.name / "events.out.tfevents.1.other").touch()
    with pytest.raises(UserError, match="of another run"):
        mirrored(run, tmp_path / "tb")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot make the folder"):
        mirrored(run, tmp_path / "file")


def test_without_tensorboard_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"] + ["tensorboard"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"pip install 'trainconsole\[tensorboard\]'") as missing:
        mirrored(told(tmp_path).path, tmp_path / "tb")
    assert len(str(missing.value).splitlines()) == 2


@pytest.mark.parametrize("text", ["", "nowhere", "tensorboard", "tensorboard:", "csv:x"])
def test_a_place_that_is_none_is_said(text: str) -> None:
    with pytest.raises(UserError, match="tensorboard:DIR"):
        targets.where(text)


def test_a_full_disk_is_said_and_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = told(tmp_path).path
    pwrite, room = os.pwrite, [3000]

    def full(fd: int, data: bytes, at: int) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        wrote = pwrite(fd, bytes(data)[: room[0]], at)
        room[0] -= wrote
        return wrote

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space"):
            mirrored(run, tmp_path / "tb")
    mirrored(run, tmp_path / "tb")
    mirrored(run, tmp_path / "whole")
    assert event_file(tmp_path / "tb", run).read_bytes() == event_file(tmp_path / "whole", run).read_bytes()
