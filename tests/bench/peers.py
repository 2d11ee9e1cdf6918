"""The same net on the same data by other training libraries, each with its usual logging, in turns.

Each reads from a DataLoader over a TensorDataset, the way its documentation begins, and logs loss and
accuracy as it usually does, to memory or a file rather than to a screen.
"""

import io
import logging
import statistics
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bench import sets
from bench.mlp import ours
from bench.plain import Plain, mlp
from bench.table import Row, row
from bench.turns import Candidate, Gate, Gated, ratios, take_turns

BATCH = 64
SIZES = 784, (128,), 10
FOREVER = 10**6


class Peer:
    """`train` is given a DataLoader and trains from it without an end."""

    def __init__(self, train: Callable[[Gated, TensorDataset], object]) -> None:
        self._gate = Gate()
        inputs, targets = sets.flat_mnist()
        sampler = Gated(self._gate, len(inputs), BATCH)
        self._gate.start(lambda: train(sampler, TensorDataset(inputs, targets)))

    def run(self, steps: int) -> None:
        self._gate.open(steps)


def loader(sampler: Gated, table: TensorDataset) -> DataLoader[Any]:
    return DataLoader(table, batch_size=BATCH, sampler=sampler)


def with_lightning(sampler: Gated, table: TensorDataset) -> None:
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.loss = mlp(*SIZES), nn.CrossEntropyLoss()

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            inputs, targets = batch
            outputs = self.model(inputs)
            loss = self.loss(outputs, targets)
            self.log("loss", loss)
            self.log("accuracy", (outputs.argmax(1) == targets).float().mean())
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=FOREVER,
        default_root_dir=tempfile.mkdtemp(),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(Module(), loader(sampler, table))


def with_ignite(sampler: Gated, table: TensorDataset) -> None:
    from ignite.engine import Events, create_supervised_trainer
    from ignite.metrics import Accuracy, RunningAverage

    model = mlp(*SIZES)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    trainer = create_supervised_trainer(
        model, optimizer, nn.CrossEntropyLoss(), output_transform=lambda x, y, output, loss: (loss, output, y)
    )
    RunningAverage(output_transform=lambda seen: seen[0].item()).attach(trainer, "loss")
    Accuracy(output_transform=lambda seen: seen[1:]).attach(trainer, "accuracy")
    lines: list[str] = []

    @trainer.on(Events.ITERATION_COMPLETED(every=100))
    def log() -> None:
        lines.append(f"{trainer.state.iteration}: {trainer.state.metrics['loss']:.4f}")

    trainer.run(loader(sampler, table), max_epochs=FOREVER)


def with_skorch(sampler: Gated, table: TensorDataset) -> None:
    from skorch import NeuralNetClassifier
    from skorch.callbacks import EpochScoring

    net = NeuralNetClassifier(
        mlp(*SIZES),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=BATCH,
        max_epochs=FOREVER,
        train_split=None,
        iterator_train__sampler=sampler,
        callbacks=[("accuracy", EpochScoring("accuracy", lower_is_better=False, on_train=True))],
    )
    with redirect_stdout(io.StringIO()):
        net.fit(*(tensor.numpy() for tensor in table.tensors))


def with_accelerate(sampler: Gated, table: TensorDataset) -> None:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    model = mlp(*SIZES)
    made = accelerator.prepare(model, torch.optim.Adam(model.parameters(), lr=1e-3), loader(sampler, table))
    model, optimizer, batches = made
    loss_function, log = nn.CrossEntropyLoss(), []
    for _ in range(FOREVER):
        for inputs, targets in batches:
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = loss_function(outputs, targets)
            accelerator.backward(loss)
            optimizer.step()
            guesses, wanted = accelerator.gather_for_metrics((outputs.argmax(1), targets))
            log.append((loss.item(), (guesses == wanted).float().mean().item()))


PEERS = {
    "Lightning": with_lightning,
    "ignite": with_ignite,
    "skorch": with_skorch,
    "accelerate": with_accelerate,
}


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    candidates: dict[str, Candidate] = {name: Peer(train) for name, train in PEERS.items()}
    candidates["ours"] = ours(sets.flat_mnist(), *SIZES[1:2], BATCH)
    candidates["plain"] = Plain(mlp(*SIZES), sets.flat_mnist(), BATCH, fused=False)
    seconds = take_turns(candidates, steps=79, turns=40, warm_up=200)
    best = min(PEERS, key=lambda name: statistics.median(seconds[name]))
    for name in PEERS:
        goal = 1.5 if name == best else 1.0
        yield row("MLP 784-128-10, batch 64: steps/s", name, ratios(seconds, "ours", name), goal)
