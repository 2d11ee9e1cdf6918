"""Run directories written by hand: a config, events, a log; no host, no torch."""

from collections.abc import Sequence
from pathlib import Path

from trainconsole import presets
from trainconsole.engine.protocol.events import (
    Best,
    CheckpointSaved,
    EpochEnded,
    Event,
    Failed,
    Finished,
    Interrupted,
)
from trainconsole.engine.record import run_directory

BEST = Best(epoch=3, step=30, metric="accuracy", value=0.9871)
EPOCH = EpochEnded(
    step=30,
    branch=0,
    epoch=3,
    train={"loss": 0.1, "accuracy": 0.99},
    val={"loss": 0.2, "accuracy": 0.9871},
    lr=1e-3,
    steps_per_second=100.0,
    best=BEST,
)
SAVED = CheckpointSaved(
    step=30, branch=0, path="checkpoints/best.pt", kind="best", epoch=3, weights_sha256="ab" * 32
)
FINISHED = Finished(
    step=1200,
    branch=0,
    reason="completed",
    test={"loss": 0.0312, "accuracy": 0.9871, "balanced_accuracy": 0.98},
    best=BEST,
    run="",
    weights_sha256="ab" * 32,
    lineage=(),
    confusion=((9, 1, 0), (2, 8, 0), (0, 0, 5)),
    classes=("setosa", "versicolor", "virginica"),
)
INTERRUPTED = Interrupted(step=77, branch=0, signal="SIGTERM", checkpoint="checkpoints/last.pt")
FAILED = Failed(step=5, branch=0, reason="the loss is not finite\nin layer fc1", where="host.log")


def written(
    runs: Path, *events: Event, name: str = "iris", log: str = "", checkpoints: Sequence[str] = ()
) -> Path:
    """A run of the iris preset that said `events`."""
    path = run_directory.create(runs, name)
    run_directory.write_config(path, presets.load("iris")[1])
    recorder = run_directory.Recorder(path)
    for event in events:
        recorder.write_event(event)
    recorder.close()
    (path / "host.log").write_text(log)
    for checkpoint in checkpoints:
        (path / "checkpoints").mkdir(exist_ok=True)
        (path / "checkpoints" / f"{checkpoint}.pt").touch()
    return path
