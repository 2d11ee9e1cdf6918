"""Scripts that are exact, and scripts that are not, each for a reason of its own."""

from collections.abc import Mapping

START = """
import os, random, time
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from trainconsole import attach

torch.set_num_threads(1)
torch.manual_seed(1)
X = torch.randn(96, 6)
Y = torch.randint(0, 3, (96,))
def net():
    return nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Dropout(0.2), nn.Linear(12, 3))
model = net()
"""

LOOP = """
dataset = TensorDataset(X, Y)
{data}
loader = DataLoader(dataset, batch_size=8, {loader})
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
{setup}
with attach(model=model, optimizer=optimizer, {objects}) as run:
    for epoch in run.epochs(4):
        for x, y in run.batches(loader):
            loss = F.cross_entropy(model(x), y)
            {loss}
            optimizer.zero_grad()
            loss.backward()
            {rate}
            optimizer.step()
            {after}
            run.log(loss=loss)
        {end}
print("its end")
"""
PARTS = ("data", "setup", "objects", "loss", "rate", "after", "end")


def loop(**parts: str) -> str:
    """The usual script with something in its places."""
    given: Mapping[str, str] = {"loader": "shuffle=True", **dict.fromkeys(PARTS, ""), **parts}
    lines = []
    for line in LOOP.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        filled = line.strip().format_map(given) if "{" in line else line.strip()
        lines += [indent + part for part in (filled or "pass").splitlines()] if line.strip() else [""]
    return START + "\n".join(lines)


ROWS = """
class Rows(Dataset):
    def __init__(self):
        {init}
    def __len__(self):
        return len(X)
    def __getitem__(self, row):
        return X[row] + {noise}, Y[row]
dataset = Rows()
"""

EMA = """
ema = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
"""
TAUGHT = "loss = loss + 0.1 * F.mse_loss(model(x), ema(x).detach())"

EXACT = {
    "plain": loop(
        setup="scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=48)",
        objects="scheduler=scheduler, seed=3",
        after="scheduler.step()",
    ),
    "accumulation": START
    + EMA
    + """
loader = DataLoader(TensorDataset(X, Y), batch_size=4, shuffle=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
losses, best = [], 9.0
def main():
    global best
    count = 0
    with attach(model=model, optimizer=optimizer, ema=ema) as run:
        for epoch in run.epochs(5):
            for index, (x, y) in enumerate(run.batches(loader)):
                loss = F.cross_entropy(model(x), y) + 0.1 * F.mse_loss(model(x), ema(x).detach())
                (loss / 4).backward()
                run.log(loss=loss)
                if (index + 1) % 4 == 0:
                    optimizer.step()
                    optimizer.zero_grad()
                    ema.update_parameters(model)
                    count += 1
                    losses.append(loss.item())
                    best = min(best, losses[-1])
            run.evaluate(lambda: {"loss": F.cross_entropy(model(X), Y).item()})
main()
""",
    "workers": loop(
        data=ROWS.format(
            init="self.scale = 0.1", noise="self.scale * torch.randn(6) + np.random.rand() + random.random()"
        ),
        loader="shuffle=True, num_workers=2",
    ),
}

HELD = (
    START
    + """
loader = DataLoader(TensorDataset(X, Y), batch_size=8, shuffle=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
def main():
    with attach(model=model, optimizer=optimizer) as run:
        for epoch in run.epochs(4):
            stream = iter(run.batches(loader))
            ahead = next(stream, None)
            while ahead is not None:
                FETCH
                x, y = now
                loss = F.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                run.log(loss=loss)
main()
"""
)

STREAM = """
class Stream(IterableDataset):
    def __init__(self):
        self.position = 0
    def __iter__(self):
        for _ in range(96):
            self.position += 1
            yield X[self.position * 7 % 96] + self.position, Y[self.position * 7 % 96]
dataset = Stream()
"""

CRITIC = """
critic = net()
second = torch.optim.Adam(critic.parameters(), lr=0.01)
"""
AGAINST = """critic_loss = F.cross_entropy(critic(x), y)
second.zero_grad()
critic_loss.backward()
second.step()
loss = loss + 0.1 * F.mse_loss(model(x), critic(x).detach())"""

TUNED = """
class Tuned:
    __slots__ = ("calls",)
    def __init__(self):
        self.calls = 0
    def __call__(self, value):
        self.calls += 1
        return value * (1 if self.calls < 8 else 1 + 1e-6)
tuned = Tuned()
"""

WRITTEN = """
import pathlib
X = X * float(pathlib.Path("scale.txt").read_text())
dataset = TensorDataset(X, Y)
"""

WORDS = """
words = {f"word{number}" for number in range(40)}
weights = {word: 0.1 + int(word[4:]) / 7 for word in words}
"""

INEXACT: dict[str, tuple[str, tuple[str, ...], bool | None]] = {
    "ema": (
        loop(setup=EMA, loss=TAUGHT, after="ema.update_parameters(model)"),
        ("`ema` (AveragedModel)", "ema=ema"),
        False,
    ),
    "held": (
        HELD.replace("FETCH", "now = ahead; ahead = next(stream, None)"),
        ("one batch more was given before the first update", "train on each batch before"),
        False,
    ),
    "swapped": (
        HELD.replace("FETCH", "now, ahead = ahead, next(stream, None)"),
        ("one batch more was given before the first update",),
        False,
    ),
    "running": (
        loop(
            setup="running = 1.0",
            loss="running = 0.9 * running + 0.1 * loss.item()\nloss = loss * (1 + 0.1 * running)",
        ),
        ("`running` (float)",),
        False,
    ),
    "worker": (
        loop(
            data=ROWS.format(init="self.rng = np.random.default_rng()", noise="self.rng.normal()"),
            loader="shuffle=True, num_workers=2",
        ),
        ("batches differ", "Rows draws from a generator of its own, `rng` in 2 workers"),
        False,
    ),
    "stream": (
        loop(data=STREAM, loader=""),
        ("batches differ", "IterableDataset is its own", "`dataset.position` (int)"),
        False,
    ),
    "nondeterministic": (
        loop(loss="loss = loss * (1 + int.from_bytes(os.urandom(2), 'big') * 1e-6)"),
        ("not deterministic", "entropy"),
        False,
    ),
    "clock": (
        loop(
            setup="began = time.monotonic()",
            rate="optimizer.param_groups[0]['lr'] = 0.01 / (1 + time.monotonic() - began)",
        ),
        ("the rate of optimizer differs", "clock"),
        False,
    ),
    "second": (loop(setup=CRITIC, loss=AGAINST), ("`critic` (Sequential)", "second"), False),
    "evaluation": (
        loop(
            setup="private = torch.Generator().manual_seed(5)",
            after="mask = torch.rand(X.shape, generator=private) > 0.3\n"
            "run.log(tested=F.cross_entropy(model(X * mask), Y))",
        ),
        ("tested differs", "`private` (Generator)"),
        False,
    ),
    "scheduler": (
        loop(
            setup="scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.8)",
            after="scheduler.step()",
        ),
        ("`scheduler` (StepLR)", "attach(..., scheduler=scheduler)"),
        True,
    ),
    "tuned": (loop(setup=TUNED, loss="loss = tuned(loss)"), ("how often something was called",), False),
    "words": (
        loop(
            setup=WORDS, loss="for word in words:\n    loss = loss + weights[word] * model[0].weight.mean()"
        ),
        ("order of a set", "PYTHONHASHSEED"),
        True,
    ),
    "written": (loop(data=WRITTEN), ("batches differ", "data changed", "scale.txt did"), True),
}
"""By name: the script, what the verdict says, and whether the undo is exact all the same."""

BODY = """
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log(loss=loss)
"""
MADE = (
    START
    + """
loader = DataLoader(TensorDataset(X, Y), batch_size=8, shuffle=True)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
run = attach(model=model, optimizer=optimizer)
"""
)
LOOPS = {
    "own epochs": MADE + "for epoch in range(3):\n    for x, y in run.batches(loader):" + BODY,
    "no batches": MADE + "for number in range(200):\n    if run.boundary():\n        x, y = X, Y" + BODY,
    "few": MADE
    + "rows = list(loader)[:9]\nfor epoch in run.epochs(1):\n    for x, y in run.batches(rows):"
    + BODY,
    "a generator": MADE
    + "def rows():\n    for at in range(0, 96, 12):\n        yield X[at:at + 12], Y[at:at + 12]\n"
    + "class Rows:\n    def __iter__(self):\n        return rows()\n"
    + "for epoch in run.epochs(2):\n    for x, y in run.batches(Rows()):"
    + BODY,
}
FEWER = ("few",)
"""Those that make fewer updates than are asked for."""
