"""What a steered loop of one's own came to, it comes to again: replayed, and killed and gone on with."""

from pathlib import Path

import pytest
from support.steered_loops import Live, Loop, resumed, train
from support.steered_parts import KILLS, PLAN, Parts, by_epochs, hands, same_again


@pytest.fixture(autouse=True)
def nothing_planned() -> None:
    PLAN.clear()
    KILLS.clear()


@pytest.mark.parametrize("place", [0, 3, 4, "between"])
@pytest.mark.parametrize(
    "commands", [("lr 0.02",), ("set dropout 0.5",), ("optimizer sgd lr=0.1",), ("schedule cosine",)]
)
def test_a_command_anywhere_in_an_epoch_is_replayed(
    tmp_path: Path, place: int | str, commands: tuple[str, ...]
) -> None:
    PLAN[1, place] = commands
    ran = train(tmp_path, by_epochs)
    assert ran.applied == [*commands]
    same_again(ran, tmp_path, by_epochs)


@pytest.mark.parametrize("place", [0, 3, 4, "between"])
@pytest.mark.parametrize("back", ["undo", "rewind step 3"])
def test_going_back_over_an_epoch_is_replayed(tmp_path: Path, place: int | str, back: str) -> None:
    PLAN[0, 4] = ("lr 0.02",)
    PLAN[1, 1] = ("set weight_decay 0.1",)
    PLAN[2, place] = ("undo", "undo") if back == "undo" else (back,)
    ran = train(tmp_path, by_epochs)
    assert not ran.rejected
    same_again(ran, tmp_path, by_epochs)


@pytest.mark.parametrize("place", [0, 4, "between"])
def test_commands_after_going_back_while_paused_are_kept(tmp_path: Path, place: int | str) -> None:
    PLAN[0, 2] = ("set weight_decay 0.1",)
    PLAN[2, place] = ("pause", "undo", "lr 0.03", "set clip.norm 0.5", "resume")
    ran = train(tmp_path, by_epochs)
    assert not ran.rejected
    same_again(ran, tmp_path, by_epochs)


@pytest.mark.parametrize("place", [0, 4, "between"])
def test_an_evaluation_on_request_draws_nothing(tmp_path: Path, place: int | str) -> None:
    plain = train(tmp_path / "plain", by_epochs)
    PLAN[1, place] = ("evaluate",)
    assert train(tmp_path / "asked", by_epochs).weights == plain.weights


@pytest.mark.parametrize("place", [0, 2, 4, "between"])
@pytest.mark.parametrize("epoch", [0, 1, 3])
def test_killed_and_gone_on_with(tmp_path: Path, epoch: int, place: int | str) -> None:
    plain = train(tmp_path / "plain", by_epochs)
    PLAN[max(epoch - 1, 0), 1] = ("checkpoint",)
    KILLS[epoch, place] = tmp_path / "copy"
    train(tmp_path / "killed", by_epochs)
    assert resumed(tmp_path / "copy", by_epochs).weights == plain.weights


def accumulated(live: Live) -> None:
    """Three batches for an update, and what is left at the end of an epoch goes into the next one's first."""
    parts = Parts()
    run = live.attach(**parts.objects())
    for epoch in run.epochs(4):
        for x, y in run.batches(parts.loader):
            number = run.batch
            run.log(loss=parts.backward(x, y))
            if number % 3 == 2:
                parts.optimizer.step()
                parts.optimizer.zero_grad()
            hands(live, epoch, number)
        parts.scheduler.step()


def with_remainder(live: Live) -> None:
    """Three batches for an update, and one update of those that are left."""
    parts = Parts()
    run = live.attach(**parts.objects())
    for epoch in run.epochs(4):
        for x, y in run.batches(parts.loader):
            number = run.batch
            run.log(loss=parts.backward(x, y))
            if number % 3 == 2 or number == len(parts.loader) - 1:
                parts.optimizer.step()
                parts.optimizer.zero_grad()
            hands(live, epoch, number)
        parts.scheduler.step()


@pytest.mark.parametrize("loop", [accumulated, with_remainder])
@pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
def test_commands_wait_until_no_gradients_are_summed(tmp_path: Path, loop: Loop, place: int) -> None:
    PLAN[0, 2] = ("lr 0.05",)
    PLAN[1, place] = ("set dropout 0.5",)
    PLAN[2, place] = ("undo", "lr 0.02")
    ran = train(tmp_path, loop)
    assert not ran.rejected
    same_again(ran, tmp_path, loop)


@pytest.mark.parametrize("loop", [accumulated, with_remainder])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_killed_while_gradients_are_summed(tmp_path: Path, loop: Loop, place: int) -> None:
    plain = train(tmp_path / "plain", loop)
    PLAN[1, 1] = ("checkpoint",)
    KILLS[2, place] = tmp_path / "copy"
    train(tmp_path / "killed", loop)
    assert resumed(tmp_path / "copy", loop).weights == plain.weights
