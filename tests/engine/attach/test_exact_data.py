"""The same of loops that count their epochs, leave a pass, read several loaders, streams or none."""

from pathlib import Path

import pytest
import torch
from support.steered_loops import Live, resumed, train
from support.steered_parts import KILLS, PLAN, Parts, by_epochs, hands, same_again
from torch.utils.data import DataLoader, TensorDataset

from trainconsole.engine.common.errors import UserError


@pytest.fixture(autouse=True)
def nothing_planned() -> None:
    PLAN.clear()
    KILLS.clear()


def own_epochs(live: Live) -> None:
    """Epochs that the script counts itself; every second is cut short."""
    parts = Parts()
    run = live.attach(**parts.objects())
    for epoch in range(4):
        for x, y in run.batches(parts.loader):
            number = run.batch
            run.log(loss=parts.update(x, y))
            hands(live, epoch, number)
            if epoch % 2 and number == 2:
                break
        parts.scheduler.step()
        hands(live, epoch, "between")


@pytest.mark.parametrize("place", [0, 2, "between"])
@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_own_epochs_are_replayed_and_resumed(tmp_path: Path, epoch: int, place: int | str) -> None:
    plain = train(tmp_path / "plain", own_epochs)
    assert plain.of("finished")[0]["step"] == 16
    assert len(plain.of("epoch")) == 4
    PLAN[epoch, 0] = ("checkpoint",)
    KILLS[epoch, place] = tmp_path / "copy"
    train(tmp_path / "killed", own_epochs)
    assert resumed(tmp_path / "copy", own_epochs).weights == plain.weights
    KILLS.clear()
    PLAN[epoch, place] = ("lr 0.03", "set weight_decay 0.1")
    ran = train(tmp_path / "steered", own_epochs)
    assert len(ran.applied) >= 2
    same_again(ran, tmp_path, own_epochs)


def cut_short(live: Live) -> None:
    """Epochs that end by `break`, then an evaluation."""
    parts = Parts()
    run = live.attach(**parts.objects())
    for epoch in run.epochs(3):
        for x, y in run.batches(parts.loader):
            run.log(loss=parts.update(x, y))
            hands(live, epoch, run.batch)
            if run.batch == 2:
                break
        run.evaluate(parts.noisy)


def test_a_pass_that_is_left_by_break_is_over(tmp_path: Path) -> None:
    PLAN[0, 1] = ("lr 0.03",)
    PLAN[1, 1] = ("undo",)
    ran = train(tmp_path, cut_short)
    assert [(event["step"], event["val"] is None) for event in ran.of("epoch")][-3:] == [
        (3, False),
        (6, False),
        (9, False),
    ]
    assert ran.of("finished")[0]["step"] == 9
    same_again(ran, tmp_path, cut_short)


def two_loaders(live: Live) -> None:
    """Two passes an epoch, over different data."""
    parts, others = Parts(), Parts(batch_size=16, drop_last=True)
    parts.loader = DataLoader(parts.data, batch_size=8, shuffle=True, generator=torch.Generator())
    run = live.attach(**parts.objects())
    for epoch in run.epochs(3):
        for x, y in run.batches(parts.loader):
            run.log(loss=parts.update(x, y))
            hands(live, epoch, run.batch)
        for x, y in run.batches(others.loader):
            run.log(loss=parts.update(x, y))
            hands(live, epoch, 10 + run.batch)


@pytest.mark.parametrize("place", [1, 4, 10])
def test_two_loaders_in_an_epoch(tmp_path: Path, place: int) -> None:
    plain = train(tmp_path / "plain", two_loaders)
    assert plain.of("finished")[0]["step"] == 3 * 7
    PLAN[0, 3] = ("checkpoint",)
    PLAN[1, 10] = ("checkpoint",)
    KILLS[2, place] = tmp_path / "copy"
    train(tmp_path / "killed", two_loaders)
    assert resumed(tmp_path / "copy", two_loaders).weights == plain.weights
    KILLS.clear()
    PLAN[1, 0] = ("lr 0.03",)
    PLAN[2, place] = ("undo", "set clip.norm 0.5")
    ran = train(tmp_path / "steered", two_loaders)
    assert not ran.rejected
    same_again(ran, tmp_path, two_loaders)


class Augmented(TensorDataset):
    """Rows with noise, from the global generator."""

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        x, y = super().__getitem__(index)
        return x + 0.1 * torch.randn(x.shape), y


@pytest.mark.parametrize(
    "options",
    [
        {"num_workers": 2},
        {"num_workers": 2, "persistent_workers": True, "drop_last": True, "batch_size": 16},
        {"drop_last": True, "batch_size": 16},
        {"sampler": torch.utils.data.WeightedRandomSampler([1.0] * 40, 24)},
    ],
)
def test_loaders_that_draw(tmp_path: Path, options: dict[str, object]) -> None:
    def loop(live: Live) -> None:
        parts = Parts()
        known = {"shuffle": "sampler" not in options, "batch_size": 8, **options}
        loader = DataLoader(Augmented(*parts.data.tensors), **known)  # type: ignore[arg-type]
        run = live.attach(**parts.objects())
        for epoch in run.epochs(3):
            for x, y in run.batches(loader):
                run.log(loss=parts.update(x, y))
                hands(live, epoch, run.batch)

    plain = train(tmp_path / "plain", loop)
    PLAN[1, 0] = ("checkpoint",)
    KILLS[2, 0] = tmp_path / "copy"
    train(tmp_path / "killed", loop)
    assert resumed(tmp_path / "copy", loop).weights == plain.weights
    KILLS.clear()
    PLAN[0, 1] = ("lr 0.03",)
    PLAN[2, 0] = ("undo", "set dropout 0")
    ran = train(tmp_path / "steered", loop)
    assert not ran.rejected
    same_again(ran, tmp_path, loop)


def test_without_batches_of_the_loaders_own(tmp_path: Path) -> None:
    def loop(live: Live) -> None:
        parts = Parts(batch_size=None)
        run = live.attach(**parts.objects())
        for epoch in run.epochs(2):
            for x, y in run.batches(parts.loader):
                run.log(loss=parts.update(x[None], y[None]))
                hands(live, epoch, run.batch)

    plain = train(tmp_path / "plain", loop)
    assert plain.of("finished")[0]["step"] == 80
    PLAN[0, 20] = ("checkpoint",)
    KILLS[1, 3] = tmp_path / "copy"
    train(tmp_path / "killed", loop)
    assert resumed(tmp_path / "copy", loop).weights == plain.weights


class Stream(torch.utils.data.IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    def __init__(self, data: TensorDataset) -> None:
        self.data = data

    def __iter__(self) -> object:  # type: ignore[override]
        return iter(self.data)


def test_a_stream_is_told_of_and_exact_where_it_repeats_itself(tmp_path: Path) -> None:
    def loop(live: Live) -> None:
        parts = Parts()
        loader = DataLoader(Stream(parts.data), batch_size=8)
        run = live.attach(**parts.objects())
        for epoch in run.epochs(3):
            for x, y in run.batches(loader):
                run.log(loss=parts.update(x, y))
                hands(live, epoch, run.batch)
            parts.scheduler.step()

    plain = train(tmp_path / "plain", loop)
    assert [event["kind"] for event in plain.of("warning")] == ["exactness"]
    assert "IterableDataset" in plain.of("warning")[0]["why"]
    PLAN[1, 1] = ("checkpoint",)
    KILLS[2, 2] = tmp_path / "copy"
    train(tmp_path / "killed", loop)
    assert resumed(tmp_path / "copy", loop).weights == plain.weights
    KILLS.clear()
    PLAN[0, 4] = ("lr 0.03",)
    PLAN[1, 4] = ("set dropout 0",)
    PLAN[2, 4] = ("undo",)
    ran = train(tmp_path / "steered", loop)
    same_again(ran, tmp_path, loop)


def test_one_pass_within_another_is_refused(tmp_path: Path) -> None:
    def loop(live: Live) -> None:
        parts = Parts()
        run = live.attach(**parts.objects())
        with pytest.raises(UserError, match=r"run\.batches within run\.batches"):
            for _ in zip(run.batches(parts.loader), run.batches(parts.loader), strict=True):
                pass

    train(tmp_path, loop)


def test_a_loop_without_a_loader_counts_its_last_update(tmp_path: Path) -> None:
    def loop(live: Live) -> None:
        parts = Parts()
        run = live.attach(**parts.objects())
        for step in range(6):
            run.boundary()
            x, y = parts.data[step : step + 4]
            run.log(loss=parts.update(x, y))
            hands(live, 0, step)

    PLAN[0, 2] = ("lr 0.02", "set dropout 0.4")
    ran = train(tmp_path, loop)
    assert ran.of("finished")[0]["step"] == 6
    same_again(ran, tmp_path, loop)


def test_killed_before_the_first_checkpoint(tmp_path: Path) -> None:
    plain = train(tmp_path / "plain", by_epochs)
    KILLS[0, 1] = tmp_path / "copy"
    train(tmp_path / "killed", by_epochs)
    for file in (tmp_path / "copy" / "checkpoints").iterdir():
        file.unlink()
    ran = resumed(tmp_path / "copy", by_epochs)
    assert ran.weights == plain.weights
    same_again(ran, tmp_path, by_epochs)
