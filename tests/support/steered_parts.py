"""A small model, and a loop over it, for tests that give commands or kill it at a place."""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from support.steered_loops import Live, Loop, Ran, replayed


class Parts:
    """A small model with dropout, its data, an optimizer and a schedule."""

    def __init__(self, **options: object) -> None:
        torch.manual_seed(3)
        x = torch.randn(40, 6)
        self.data = TensorDataset(x, (x.sum(1) > 0).long())
        settings = {"batch_size": 8, "shuffle": True, **options}
        self.loader: DataLoader[tuple[torch.Tensor, ...]] = DataLoader(self.data, **settings)  # type: ignore[arg-type]
        self.model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 1, 0.5)

    def objects(self) -> dict[str, object]:
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def backward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def update(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.optimizer.zero_grad()
        loss = self.backward(x, y)
        self.optimizer.step()
        return loss

    def noisy(self) -> dict[str, float]:
        """A measure that draws random numbers."""
        return {"loss": float(torch.rand(()))}


def same_again(ran: Ran, folder: Path, loop: Loop) -> None:
    again = replayed(ran, folder / "again", loop)
    assert again.weights == ran.weights


def by_epochs(live: Live) -> None:
    """A schedule that steps between two epochs; a noisy evaluation."""
    parts = Parts()
    run = live.attach(**parts.objects())
    for epoch in run.epochs(4):
        for number, (x, y) in enumerate(run.batches(parts.loader)):
            run.log(loss=parts.update(x, y))
            hands(live, epoch, number)
        parts.scheduler.step()
        run.evaluate(parts.noisy)
        hands(live, epoch, "between")


def hands(live: Live, epoch: int, place: int | str) -> None:
    """What the test that is running gives there."""
    live.tell(*PLAN.get((epoch, place), ()), at=(epoch, place))
    if (epoch, place) in KILLS:
        live.killed(KILLS[epoch, place], at=(epoch, place))


PLAN: dict[tuple[int, int | str], tuple[str, ...]] = {}
KILLS: dict[tuple[int, int | str], Path] = {}
