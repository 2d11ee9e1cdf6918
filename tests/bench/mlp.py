"""Steps a second of small nets against the loop that everybody writes, one thread."""

from collections.abc import Iterator

import torch

from bench import sets
from bench.ours import Ours, data
from bench.plain import Plain, mlp
from bench.table import Row, row
from bench.turns import ratios, take_turns
from trainconsole.engine.config.models import Mlp
from trainconsole.engine.config.optimizers import Adam
from trainconsole.engine.config.run import RunConfig


def ours(table: sets.Table, hidden: tuple[int, ...], batch_size: int) -> Ours:
    """The engine's MLP, for more epochs than it will come to."""
    model, optimizer = Mlp(hidden=hidden), Adam(lr=1e-3)
    config = RunConfig(
        data=data(table), model=model, optimizer=optimizer, epochs=10**6, batch_size=batch_size
    )
    return Ours(config, threads=1)


def mnist() -> Iterator[Row]:
    return _against_plain("MLP 784-128-10, batch 64", sets.flat_mnist(), (128,), 64, (1.35, 1.08))


def iris() -> Iterator[Row]:
    return _against_plain("iris MLP 4-64-32-3, batch 16", sets.iris(), (64, 32), 16, (1.4, 1.1))


def _against_plain(
    what: str, table: sets.Table, hidden: tuple[int, ...], batch_size: int, goals: tuple[float, float]
) -> Iterator[Row]:
    torch.set_num_threads(1)
    sizes = table[0].shape[1], hidden, int(table[1].max()) + 1
    candidates = {
        "ours": ours(table, hidden, batch_size),
        "default": Plain(mlp(*sizes), table, batch_size, fused=False),
        "fused": Plain(mlp(*sizes), table, batch_size, fused=True),
    }
    seconds = take_turns(candidates, steps=100, turns=80, warm_up=500)
    yield row(f"{what}: steps/s", "the same loop by hand, Adam", ratios(seconds, "ours", "default"), goals[0])
    yield row(f"{what}: steps/s", "Adam(fused=True)", ratios(seconds, "ours", "fused"), goals[1])
    yield row(f"{what}: time of a step", "", [1e6 * s for s in seconds["ours"]], unit="us")
