"""A run directory that grows a little at a time, as a host writes it; no host, no torch."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from trainconsole import presets
from trainconsole.engine.protocol.events import (
    Branched,
    CommandApplied,
    EpochEnded,
    Event,
    Finished,
    Started,
)
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.metric_rows import ROW

RECORD = np.dtype([("step", "<u8"), ("branch", "<u4"), ("value", "<f4")])
SHA = "ab" * 32


class Growing:
    """Writes one run; steps are counted, and a branch is begun by `back`."""

    def __init__(self, runs: Path, name: str = "grown", metric: str = "accuracy") -> None:
        self.path = run_directory.create(runs, name)
        run_directory.write_config(self.path, presets.load("iris")[1])
        self._meta = {"format": 1, "batch_metric": metric, "scalars": {"names": {}}}
        self._recorder = run_directory.Recorder(self.path)
        self.step = self.branch = 0

    def begin(self) -> None:
        run_directory.write_meta(self.path, self._meta)
        self.say(
            Started(
                step=0,
                branch=0,
                run=self.path.name,
                preset="iris",
                seed=0,
                device="cpu",
                threads=1,
                parameters=9,
                sizes={},
            )
        )

    def train(self, count: int) -> None:
        """Rows whose loss says their step and branch; each seventh is NaN, each third has a norm."""
        rows = np.zeros(count, ROW)
        rows["step"] = np.arange(self.step, self.step + count) + 1
        rows["branch"], rows["epoch"], rows["lr"] = self.branch, 1, 0.1
        rows["time"] = rows["step"] / 100
        rows["loss"] = np.where(rows["step"] % 7 == 0, np.nan, rows["step"] + self.branch / 8)
        rows["metric"] = rows["step"] / 1000
        rows["grad_norm"] = np.where(rows["step"] % 3 == 0, 1.5, np.nan)
        self._recorder.write_rows(rows)
        self.step += count

    def command(self, command: str, note: str = "") -> None:
        self.say(
            CommandApplied(
                step=self.step, branch=self.branch, command=command, id="x", origin="test", note=note
            )
        )

    def epoch(self, number: int) -> None:
        values = {"loss": self.step / 10, "accuracy": None}
        self.say(
            EpochEnded(
                step=self.step,
                branch=self.branch,
                epoch=number,
                train=values,
                val=values,
                lr=0.1,
                steps_per_second=1.0,
                best=None,
            )
        )

    def back(self, step: int, parent: int | None = None, why: str = "undo") -> None:
        parent = self.branch if parent is None else parent
        self.branch, self.step = self.branch + 1, step
        self.say(Branched(step=step, branch=self.branch, parent=parent, at_step=step, why=why))  # type: ignore[arg-type]
        self.command(why)

    def number(self, name: str, value: float, file: str | None = None) -> None:
        """One value of a user's own number."""
        file = file or f"n{len(self._meta['scalars']['names'])}.bin"  # type: ignore[index]
        known: dict[str, str] = self._meta["scalars"]["names"]  # type: ignore[index]
        (self.path / "scalars").mkdir(exist_ok=True)
        if name not in known:
            known[name] = file
            run_directory.write_meta(self.path, self._meta)
        with open(self.path / "scalars" / known[name], "ab") as out:
            out.write(np.array([(self.step, self.branch, value)], RECORD).tobytes())

    def finish(self) -> None:
        self.say(
            Finished(
                step=self.step,
                branch=self.branch,
                reason="completed",
                test={"loss": 0.25},
                best=None,
                run=self.path.name,
                weights_sha256=SHA,
                lineage=(),
            )
        )

    def say(self, event: Event) -> None:
        self._recorder.write_event(event)

    def tear(self) -> None:
        """The half of a row and of a line, as a host that was killed leaves them."""
        for name, data in (
            ("metrics.bin", b"half a row"),
            ("events.jsonl", json.dumps({"type": "x"}).encode()),
        ):
            with open(self.path / name, "ab") as out:
                out.write(data)


def story(run: Growing) -> Iterator[Callable[[], None]]:
    """A run of 400 steps with two undos, commands, epochs and a number of its own, in 40 parts."""
    yield run.begin
    for part in range(1, 39):
        yield lambda: run.train(12)
        yield lambda part=part: run.number("my/number", part)  # type: ignore[misc]
        if part % 5 == 0:
            yield lambda part=part: run.epoch(part // 5)  # type: ignore[misc]
        if part % 4 == 0:
            yield lambda part=part: run.command(f"lr {part}", "half of it")  # type: ignore[misc]
        if part in (11, 23):
            yield lambda: run.back(run.step - 20)
    yield run.finish


def told(runs: Path) -> Growing:
    """The whole story."""
    run = Growing(runs)
    for part in story(run):
        part()
    return run
