"""The CNN of the `mnist` preset against PyTorch's tutorial, two threads: speed, and what it learns."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from bench import sets
from bench.ours import Ours, data
from bench.table import Row, quartiles, row
from bench.turns import ratios, take_turns
from trainconsole.engine.config.models import Cnn
from trainconsole.engine.config.optimizers import Adam
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.models import build

BATCH = 64
HELD_OUT = 1000
SEEDS, FEW_SEEDS = range(5), range(2)
"""Few where a step may take ten times as long."""
EPOCHS = 2
WHAT = "mnist CNN, 2 threads"
WITHOUT = "the processor has no instructions for bfloat16 (avx512_bf16, amx_bf16)"
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
        self._model = build.build(NET, (1, 28, 28), 10)
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

    def __init__(self, seed: int, precision: Literal["float32", "bfloat16"], threads: int = 2) -> None:
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
            threads=threads,
        )

    def accuracy(self) -> float:
        test = self.trainer.data.test
        assert test is not None
        tally = self.trainer.evaluate(test)
        assert tally is not None
        return tally.result()["accuracy"]


def speed() -> Iterator[Row]:
    torch.set_num_threads(2)
    against = "the tutorial's loop"
    tutorial, whole = Tutorial(0), Console(0, "float32")
    seconds = take_turns({"ours": whole, "tutorial": tutorial}, steps=5, turns=40, warm_up=10)
    yield row(f"{WHAT}, float32: steps/s", against, ratios(seconds, "ours", "tutorial"), 1.35)
    halved = Console(0, "bfloat16")
    seconds = take_turns({"ours": halved, "tutorial": tutorial}, steps=3, turns=10, warm_up=3)
    alone = lowered()
    known = f"torch alone is at {statistics.median(alone):.3g} of its own float32 here: {WITHOUT}"
    limit = known if statistics.median(alone) < 1 else ""
    found = ratios(seconds, "ours", "tutorial")
    yield row(f"{WHAT}, bfloat16: steps/s", against, found, 1.8, limit=limit)
    yield row(f"{WHAT}, bfloat16: steps/s of torch alone", "its own float32", alone)


def accuracy() -> Iterator[Row]:
    """Of the same nets on the same images, in another order."""
    torch.set_num_threads(1)
    scores = {
        "tutorial": learned(Tutorial, SEEDS),
        "float32": learned(lambda seed: Console(seed, "float32", threads=1), SEEDS),
        "bfloat16": learned(lambda seed: Console(seed, "bfloat16", threads=1), FEW_SEEDS),
    }
    for name, seen in scores.items():
        yield row(f"mnist CNN, {name}: accuracy after {EPOCHS} epochs, {len(seen)} seeds", "", seen)
    for name, other in (("float32", "tutorial"), ("bfloat16", "float32")):
        lost = [b - a for a, b in zip(scores[name], scores[other], strict=False)]
        low, _, high = quartiles(lost)
        mean = statistics.fmean(lost)
        yield Row(f"mnist CNN, {name}: accuracy lost", other, mean, low, high, 0.003, "below")


class Bare:
    """One batch again and again, by torch alone: what the processor makes of a precision. Without bfloat16
    in its instruction set (avx512_bf16, amx_bf16) torch convolves by its slow path."""

    def __init__(self, precision: str) -> None:
        images, targets = sets.images()
        self._inputs, self._targets = images[:BATCH].float(), targets[:BATCH]
        self._lowered = precision == "bfloat16"
        self._model = build.build(NET, (1, 28, 28), 10).to(memory_format=torch.channels_last)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=self._lowered):
                outputs = self._model(self._inputs)
            nn.functional.cross_entropy(outputs.float(), self._targets).backward()


def lowered() -> list[float]:
    """How many times as fast a step is in bfloat16, turn by turn."""
    candidates = {name: Bare(name) for name in ("float32", "bfloat16")}
    seconds = take_turns(candidates, steps=3, turns=10, warm_up=3)
    return ratios(seconds, "bfloat16", "float32")


def learned(candidate: Callable[[int], Tutorial | Console], seeds: Sequence[int]) -> list[float]:
    """Accuracy on the held-out images after EPOCHS, for each seed."""
    steps = -(-(len(sets.images()[0]) - HELD_OUT) // BATCH) * EPOCHS
    found = []
    for seed in seeds:
        made = candidate(seed)
        made.run(steps)
        found.append(made.accuracy())
    return found
