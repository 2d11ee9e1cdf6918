"""The loop that everybody writes, reading loss and accuracy every step."""

import torch
from torch import nn

from bench.sets import Table


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class Plain:
    """Batches are taken from two tensors in memory; Adam as torch has it by default, or fused."""

    def __init__(self, model: nn.Module, table: Table, batch_size: int, *, fused: bool) -> None:
        self._model = model
        self._inputs, self._targets = table
        self._batch_size = batch_size
        self._optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True if fused else None)
        self._loss = nn.CrossEntropyLoss()
        self._order = torch.empty(0, dtype=torch.int64)
        self._at = 0
        self.seen: tuple[float, float] = (0.0, 0.0)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            inputs, targets = self._batch()
            self._optimizer.zero_grad()
            outputs = self._model(inputs)
            loss = self._loss(outputs, targets)
            loss.backward()
            self._optimizer.step()
            accuracy = (outputs.argmax(1) == targets).float().mean()
            self.seen = loss.item(), accuracy.item()

    def _batch(self) -> Table:
        if self._at >= len(self._order):
            self._order, self._at = torch.randperm(len(self._inputs)), 0
        rows = self._order[self._at : self._at + self._batch_size]
        self._at += self._batch_size
        return self._inputs[rows], self._targets[rows]
