"""Undo, rewind and resume in loops as people write them: what follows is what would have been."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.own_loops import (
    BATCHES,
    LOOPS,
    Setting,
    by_epoch,
    counting_itself,
    in_two_phases,
    ran,
    scheduled,
    setting,
)

from trainconsole.engine.protocol.events import Branched, CommandApplied, CommandRejected, EpochEnded
from trainconsole.engine.record.run_directory import read_rows
from trainconsole.engine.runs import scripts

Loop = Callable[[Any, Setting, int], None]
WAYS_BACK = (
    ("step 3: lr x0.1", "step 5: undo"),
    ("step 2: optimizer adam", "step 4: set clip.norm 0.1", "step 5: undo", "step 5: undo"),
    ("step 1: checkpoint here", "step 2: set weight_decay 0.5", "step 4: rewind here"),
)


@pytest.mark.parametrize("commands", WAYS_BACK)
@pytest.mark.parametrize("loop", LOOPS)
def test_what_was_taken_back_leaves_no_trace(loop: Loop, commands: tuple[str, ...], tmp_path: Path) -> None:
    plain, steered = ran(tmp_path, loop), ran(tmp_path, loop, *commands)
    assert not steered.of(CommandRejected)
    assert len(steered.of(Branched)) == sum("undo" in text or "rewind" in text for text in commands)
    assert steered.finished.weights_sha256 == plain.finished.weights_sha256
    assert steered.finished.step == plain.finished.step


@pytest.mark.parametrize("loop", [loop for loop in LOOPS if loop not in (counting_itself, in_two_phases)])
def test_an_epoch_is_given_again(loop: Loop, tmp_path: Path) -> None:
    plain = ran(tmp_path, loop)
    # From the second or third epoch back into the first.
    steered = ran(tmp_path, loop, "step 2: lr x0.1", f"step {plain.finished.step - 2}: undo")
    assert not steered.of(CommandRejected)
    assert steered.finished.weights_sha256 == plain.finished.weights_sha256
    ended = [event.epoch for event in steered.of(EpochEnded)]
    assert ended[-3:] == [1, 2, 3]
    assert len(ended) > 3


def test_a_loop_that_counts_its_epochs_itself_cannot_go_back_into_another_one(tmp_path: Path) -> None:
    steered = ran(tmp_path, counting_itself, "step 2: lr x0.1", f"step {BATCHES + 2}: undo")
    (refused,) = steered.of(CommandRejected)
    assert "run.epochs(N)" in refused.reason
    assert [event.epoch for event in steered.of(EpochEnded)] == [1, 2, 3]


@pytest.mark.parametrize("stop", [1, BATCHES - 1, BATCHES, BATCHES + 1, 2 * BATCHES + 1])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(loop: Loop, stop: int, tmp_path: Path) -> None:
    changes = ("step 0: lr x0.5", f"step {stop}: set clip.norm 0.2")
    plain = ran(tmp_path, loop, *changes)
    if stop >= plain.finished.step:
        pytest.skip("this loop makes fewer updates")
    first = ran(tmp_path, loop, *changes, f"step {stop}: stop")
    assert first.finished.step == stop
    again = ran(tmp_path, loop, start=scripts.Start(path=str(first.path), resume=True))
    assert again.finished.weights_sha256 == plain.finished.weights_sha256
    assert again.finished.step == plain.finished.step


def test_a_run_begins_with_what_another_began_with(tmp_path: Path) -> None:
    """As a replay does: the script need not be seeded."""
    first = ran(tmp_path, by_epoch)
    other = setting()
    with torch.no_grad():
        for parameter in other.model.parameters():
            parameter.normal_()
    other_run = ran(tmp_path, by_epoch, it=other)
    assert other_run.finished.weights_sha256 != first.finished.weights_sha256
    from trainconsole.engine.config.run import RunConfig, Script
    from trainconsole.engine.runs.launch import prepare

    config = RunConfig(script=Script(cwd=str(tmp_path)), seed=7)
    path = prepare(config, "loop", runs=tmp_path, data_dir=tmp_path).path
    start = scripts.Start(path=str(path), begins_with=str(other_run.path))
    assert ran(tmp_path, by_epoch, start=start).finished.weights_sha256 == other_run.finished.weights_sha256


def test_rows_say_the_rate_that_each_update_used(tmp_path: Path) -> None:
    plain = read_rows(ran(tmp_path, scheduled).path)["lr"]
    steered = ran(tmp_path, scheduled, "step 4: lr x0.5", "step 9: lr 0.01")
    rows = read_rows(steered.path)
    assert rows["lr"][:4].tolist() == plain[:4].tolist()
    torch.testing.assert_close(rows["lr"][4:9], plain[4:9] * 0.5)
    assert rows["lr"][9] == pytest.approx(0.01)
    factor = 0.01 / plain[9]
    torch.testing.assert_close(rows["lr"][9:], (plain[9:] * factor).astype("float32"))
    second = steered.of(CommandApplied)[1]
    assert second.after["lr"] == pytest.approx(0.01)
    assert second.before["lr"] == pytest.approx(float(plain[9]) * 0.5)


@pytest.mark.parametrize("leaves", [False, True])
def test_each_loop_of_a_script_is_given_its_own_epochs(tmp_path: Path, leaves: bool) -> None:
    it = setting()
    it.leaves = leaves
    done = ran(tmp_path, in_two_phases, it=it)
    first = [(0, 0)] if leaves else [(0, 0), (0, 1)]
    assert it.given == [*first, (1, 0), (1, 1), (1, 2)]
    assert done.finished.step == len(it.given) * BATCHES
    assert done.finished.note == ""


def test_there_is_no_way_back_into_a_loop_that_was_left(tmp_path: Path) -> None:
    steered = ran(tmp_path, in_two_phases, "step 2: lr x0.5", f"step {2 * BATCHES + 1}: undo")
    (refused,) = steered.of(CommandRejected)
    assert "a run.epochs loop that the script has left" in refused.reason
    assert steered.finished.step == 5 * BATCHES


def test_a_second_attach_is_told_that_it_cannot_be_started_again(tmp_path: Path) -> None:
    from trainconsole.engine.common.errors import UserError
    from trainconsole.engine.config.run import RunConfig, Script
    from trainconsole.engine.runs.launch import prepare, reopen
    from trainconsole.engine.runs.replay import recipe

    config = RunConfig(script=Script(cwd=str(tmp_path), call=2))
    path = prepare(config, "loop", runs=tmp_path, data_dir=tmp_path).path
    for again in (lambda: reopen(path, default_data_dir=tmp_path), lambda: recipe(path)):
        with pytest.raises(UserError, match="attach call 2 "):
            again()
