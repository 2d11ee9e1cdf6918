"""The CNN of the `mnist` preset against PyTorch's tutorial, two threads: speed, and what it learns."""

import statistics
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from bench import sets
from bench.ours import Ours, data
from bench.table import Row, row
from bench.turns import ratios, take_turns
from trainconsole.engine import models
from trainconsole.engine.choices import Adam
from trainconsole.engine.config import Cnn, RunConfig

BATCH = 64
HELD_OUT = 1000
SEEDS = (0, 1)
EPOCHS = 2
MEAN, SPREAD = 0.1307, 0.3081
NET = Cnn(channels=(32, 64), fc=(128,))


class Pictures(Dataset[tuple[Tensor, int]]):
    """As torchvision's MNIST: an image made and transformed when it is asked for."""

    def __init__(self, images: Tensor, targets: Tensor) -> None:
        self._images, self._targets = images, targets
        self._transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((MEAN,), (SPREAD,))]
        )

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self._images[index, 0].numpy())
        return self._transform(picture), int(self._targets[index])


class Tutorial:
    """The training loop of the tutorial, and its test loop."""

    def __init__(self, seed: int) -> None:
        images, targets = sets.images()
        torch.manual_seed(seed)
        self._model = models.build(NET, (1, 28, 28), 10)
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=1e-3)
        self._loss = nn.CrossEntropyLoss()
        self._test = DataLoader(Pictures(images[-HELD_OUT:], targets[-HELD_OUT:]), batch_size=1000)
        train = Pictures(images[:-HELD_OUT], targets[:-HELD_OUT])
        self._train = DataLoader(train, batch_size=BATCH, shuffle=True)
        self._batches: Iterator[Any] = iter(())

    def run(self, steps: int) -> None:
        for _ in range(steps):
            inputs, targets = self._batch()
            self._optimizer.zero_grad()
            loss = self._loss(self._model(inputs), targets)
            loss.backward()
            self._optimizer.step()

    def _batch(self) -> Any:
        batch = next(self._batches, None)
        if batch is None:
            self._batches = iter(self._train)
            batch = next(self._batches)
        return batch

    @torch.no_grad()
    def accuracy(self) -> float:
        self._model.eval()
        right = [(self._model(inputs).argmax(1) == targets).sum().item() for inputs, targets in self._test]
        self._model.train()
        return sum(right) / HELD_OUT


class Console(Ours):
    """The same net on the same numbers, trained by the engine."""

    def __init__(self, seed: int, precision: Literal["float32", "bfloat16"]) -> None:
        images, targets = sets.images()
        inputs = images.float().div(255).sub(MEAN).div(SPREAD)
        parts = {
            "train": (inputs[:-HELD_OUT], targets[:-HELD_OUT]),
            "test": (inputs[-HELD_OUT:], targets[-HELD_OUT:]),
        }
        optimizer = Adam(lr=1e-3)
        super().__init__(
            RunConfig(
                data=data(parts),
                model=NET,
                optimizer=optimizer,
                epochs=10**6,
                batch_size=BATCH,
                seed=seed,
                precision=precision,
            ),
            threads=2,
        )

    def accuracy(self) -> float:
        test = self.trainer.data.test
        assert test is not None
        tally = self.trainer.evaluate(test)
        assert tally is not None
        return tally.result()["accuracy"]


def rows() -> Iterator[Row]:
    torch.set_num_threads(2)
    seconds = take_turns(
        {"float32": Console(0, "float32"), "bfloat16": Console(0, "bfloat16"), "tutorial": Tutorial(0)},
        steps=5,
        turns=20,
        warm_up=10,
    )
    what = "mnist CNN, 2 threads"
    for precision, goal in (("float32", 1.35), ("bfloat16", 1.8)):
        yield row(
            f"{what}, {precision}: steps/s",
            "the tutorial's loop",
            ratios(seconds, precision, "tutorial"),
            goal,
        )
    yield row(f"{what}, bfloat16: steps/s of torch alone", "float32 of torch alone", lowered())
    scores = {
        "tutorial": learned(Tutorial),
        "float32": learned(lambda seed: Console(seed, "float32")),
        "bfloat16": learned(lambda seed: Console(seed, "bfloat16")),
    }
    for name, seen in scores.items():
        yield row(f"{what}, {name}: accuracy after {EPOCHS} epochs, {len(SEEDS)} seeds", "", seen)
    for name, other in (("float32", "tutorial"), ("bfloat16", "float32")):
        lost = [b - a for a, b in zip(scores[name], scores[other], strict=True)]
        mean = statistics.fmean(lost)
        yield Row(f"{what}, {name}: accuracy lost", other, mean, min(lost), max(lost), 0.003, "below")


class Bare:
    """One batch again and again, by torch alone: what the processor makes of a precision. Without bfloat16
    in its instruction set (avx512_bf16, amx_bf16) torch convolves by its slow path."""

    def __init__(self, precision: str) -> None:
        images, targets = sets.images()
        self._inputs, self._targets = images[:BATCH].float(), targets[:BATCH]
        self._lowered = precision == "bfloat16"
        self._model = models.build(NET, (1, 28, 28), 10).to(memory_format=torch.channels_last)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=self._lowered):
                outputs = self._model(self._inputs)
            nn.functional.cross_entropy(outputs.float(), self._targets).backward()


def lowered() -> list[float]:
    """How many times as fast a step is in bfloat16, turn by turn."""
    candidates = {name: Bare(name) for name in ("float32", "bfloat16")}
    seconds = take_turns(candidates, steps=5, turns=12, warm_up=5)
    return ratios(seconds, "bfloat16", "float32")


def learned(candidate: Callable[[int], Tutorial | Console]) -> list[float]:
    """Accuracy on the held-out images after EPOCHS, for each seed."""
    steps = -(-(len(sets.images()[0]) - HELD_OUT) // BATCH) * EPOCHS
    found = []
    for seed in SEEDS:
        made = candidate(seed)
        made.run(steps)
        found.append(made.accuracy())
    return found
