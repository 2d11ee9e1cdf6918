"""Events as entries of a timeline."""

import pytest

from trainconsole.engine.protocol.events import (
    AnyEvent,
    Best,
    Branched,
    CheckpointSaved,
    CommandApplied,
    CommandRejected,
    EpochEnded,
    Evaluated,
    Failed,
    Finished,
    Interrupted,
    Paused,
    Resumed,
    Started,
    Warned,
)
from trainconsole.tui.text.timeline import Entry, entries, refused, requested


def applied(command: str, before: dict[str, object], after: dict[str, object], note: str = "") -> AnyEvent:
    return CommandApplied(
        step=7, branch=1, command=command, id="a", origin="console", before=before, after=after, note=note
    )


def epoch(kind: type[EpochEnded], best: Best | None, val: dict[str, float | None] | None) -> EpochEnded:
    return kind(
        step=9,
        branch=0,
        epoch=2,
        train={"loss": 0.5, "accuracy": 0.8},
        val=val,
        lr=0.1,
        steps_per_second=1.0,
        best=best,
    )


BEST = Best(epoch=2, step=9, metric="accuracy", value=0.91)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            applied("lr x0.5", {"lr": 1e-3}, {"lr": 5e-4}, "the rest follows"),
            Entry("applied", "lr x0.5 → 5e-4", "the rest follows"),
        ),
        (
            applied(
                "optimizer sgd", {"optimizer": "adam", "lr": 1e-3}, {"optimizer": "sgd", "lr": 0.01}, "fresh"
            ),
            Entry("applied", "optimizer sgd", "was adam; rate 1e-2; fresh"),
        ),
        (
            applied(
                "schedule cosine",
                {"schedule": "constant", "lr": 1e-3},
                {"schedule": "cosine", "lr": 1e-3},
            ),
            Entry("applied", "schedule cosine", "was constant"),
        ),
        (
            applied("set dropout 0.2", {"dropout": None}, {"dropout": 0.2}),
            Entry("applied", "set dropout 0.2", "was off"),
        ),
        (applied("undo", {}, {}), Entry("applied", "undo")),
        (
            CommandRejected(step=3, branch=0, command="lr 200", id="a", origin="x", reason="above 100"),
            Entry("rejected", "lr 200", "above 100"),
        ),
        (epoch(EpochEnded, BEST, {"loss": 0.3, "accuracy": 0.91}), Entry("best", "epoch 2  val 0.9100")),
        (epoch(EpochEnded, None, {"loss": 0.3}), Entry("epoch", "epoch 2  val 0.3000")),
        (epoch(EpochEnded, None, None), Entry("epoch", "epoch 2  0.5000")),
        (epoch(EpochEnded, None, {"loss": None}), Entry("epoch", "epoch 2  val nan")),
        (epoch(Evaluated, BEST, {"accuracy": 0.9}), Entry("evaluated", "evaluated  val 0.9000")),
        (
            Started(
                step=0,
                branch=0,
                run="r",
                preset="p",
                seed=0,
                device="cpu",
                threads=1,
                parameters=1,
                sizes={},
                data=("channels last turned", "labels 1..3 renamed"),
            ),
            Entry("warning", "the data", "channels last turned; labels 1..3 renamed"),
        ),
        (Warned(step=1, branch=0, why="tell\x1b[2Jme"), Entry("warning", "tell\ufffd[2Jme")),
        (Paused(step=1, branch=0, why="NaN in fc1"), Entry("paused", "paused", "NaN in fc1")),
        (
            Interrupted(step=1, branch=0, signal="SIGTERM", checkpoint="c.pt"),
            Entry("ended", "interrupted: SIGTERM", "c.pt"),
        ),
        (Failed(step=1, branch=0, reason="no", where="host.log"), Entry("ended", "failed", "no")),
    ],
)
def test_an_event_says(event: AnyEvent, expected: Entry) -> None:
    (entry,) = entries(event)
    assert (entry.kind, entry.text, entry.detail) == (expected.kind, expected.text, expected.detail)
    assert (entry.step, entry.branch) == (event.step, event.branch)


@pytest.mark.parametrize(
    "event",
    [
        Paused(step=1, branch=0, why="on request"),
        Resumed(step=1, branch=0, why="on request"),
        Branched(step=1, branch=1, parent=0, at_step=1, why="undo"),
        CheckpointSaved(step=1, branch=0, path="x", kind="last", epoch=1, weights_sha256="0"),
    ],
)
def test_what_another_entry_says_already_is_left_out(event: AnyEvent) -> None:
    assert list(entries(event)) == []


def test_an_end_says_how() -> None:
    done = Finished(
        step=9,
        branch=0,
        reason="early_stopping",
        test=None,
        best=None,
        run="r",
        weights_sha256="0",
        lineage=(),
    )
    assert [entry.text for entry in entries(done)] == ["early stopping"]


def test_what_was_asked_and_what_never_arrived() -> None:
    assert requested("x", "lr \x07x2") == Entry("requested", "lr \ufffdx2", id="x")
    assert refused("x", "lr x2", "gone").detail == "gone"
