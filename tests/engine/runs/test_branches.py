"""Which rows, epochs and commands are in force, against a simulation that keeps each state's whole past."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainconsole.engine.protocol.events import (
    AnyEvent,
    Branched,
    CommandApplied,
    EpochEnded,
    Finished,
    Started,
)
from trainconsole.engine.record import metrics_file, run_directory
from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.engine.runs import branches, export

EPOCH = 3
"""Steps in an epoch of the simulation."""


@dataclass(frozen=True)
class Moment:
    """A state with all that led to it: rows as (branch, step), epochs as (number, branch that closed it)."""

    branch: int = 0
    rows: tuple[tuple[int, int], ...] = ()
    closed: tuple[tuple[int, int], ...] = ()

    @property
    def step(self) -> int:
        return len(self.rows)

    @property
    def open_end(self) -> bool:
        """All steps of an epoch are done and it is still to be closed."""
        return self.step == (len(self.closed) + 1) * EPOCH


def epoch(number: int, step: int, branch: int) -> EpochEnded:
    return EpochEnded(
        step=step, branch=branch, epoch=number, train={}, val=None, lr=0.1, steps_per_second=1.0, best=None
    )


def fork(branch: int, parent: int, step: int, **more: object) -> Branched:
    return Branched(step=step, branch=branch, parent=parent, at_step=step, why="undo", **more)  # type: ignore[arg-type]


def applied(step: int, command: str, name: str, branch: int = 0) -> CommandApplied:
    return CommandApplied(step=step, branch=branch, command=command, id=name, origin="test")


def as_rows(places: list[tuple[int, int]]) -> Rows:
    rows = np.zeros(len(places), dtype=ROW)
    for row, (branch, step) in zip(rows, places, strict=True):
        row["branch"], row["step"], row["loss"] = branch, step, branch * 1000 + step
    return rows


def simulate(moves: list[int | None]) -> tuple[list[AnyEvent], list[tuple[int, int]], Moment]:
    """None goes on, a number goes back to one of the states there were. Returns what is recorded, and where
    it ends: always with its epoch closed."""
    events: list[AnyEvent] = [
        Started(
            step=0, branch=0, run="r", preset="p", seed=0, device="cpu", threads=1, parameters=1, sizes={}
        )
    ]
    rows: list[tuple[int, int]] = []
    now, seen = Moment(), [Moment()]
    newest = 0
    for move in [*moves, None]:
        if move is not None:
            then, newest = seen[move % len(seen)], newest + 1
            events.append(fork(newest, then.branch, then.step))
            now = Moment(newest, then.rows, then.closed)
        elif not now.open_end:
            rows.append((now.branch, now.step + 1))
            now = Moment(now.branch, (*now.rows, rows[-1]), now.closed)
            seen.append(now)
        if move is None and now.open_end:
            number = len(now.closed) + 1
            events.append(epoch(number, now.step, now.branch))
            now = Moment(now.branch, now.rows, (*now.closed, (number, now.branch)))
        seen.append(now)
    return events, rows, now


@given(st.lists(st.none() | st.integers(0, 10**6), max_size=60))
def test_what_is_in_force_is_what_led_here(moves: list[int | None]) -> None:
    events, places, end = simulate(moves)
    found = branches.in_force(as_rows(places), events)
    assert list(zip(found["branch"].tolist(), found["step"].tolist(), strict=True)) == list(end.rows)
    assert [(e.epoch, e.branch) for e in branches.epochs_in_force(events)] == list(end.closed)


@given(st.lists(st.none() | st.integers(0, 10**6), max_size=60), st.integers(1, 7))
def test_read_in_pieces_it_is_the_same(tmp_path_factory: object, moves: list[int | None], chunk: int) -> None:
    events, places, _ = simulate(moves)
    folder: Path = tmp_path_factory.mktemp("rows")  # type: ignore[attr-defined]
    rows = as_rows(places)
    (folder / "metrics.bin").write_bytes(rows.tobytes() + b"torn")
    before, metrics_file.CHUNK = metrics_file.CHUNK, chunk
    try:
        found = np.concatenate([*export.rows_in_force(folder, events)])
    finally:
        metrics_file.CHUNK = before
    assert np.array_equal(found, branches.in_force(run_directory.read_rows(folder), events))


def test_an_epoch_that_was_closed_twice_counts_as_the_branch_that_goes_on_closed_it() -> None:
    events: list[AnyEvent] = [epoch(1, 6, 0), epoch(2, 12, 0), fork(1, 0, 12), epoch(2, 12, 1)]
    assert branches.epochs_in_force(events) == [events[0], events[3]]
    # Restored with the epoch closed, the parent's own counts.
    assert branches.epochs_in_force(events[:3]) == events[:2]


def test_the_lineage_of_a_branch_is_what_it_began_with_and_what_came_since() -> None:
    events: list[AnyEvent] = [
        applied(3, "lr x2", "a"),
        applied(4, "pause", "p"),
        applied(5, "batch 8", "b"),
        fork(1, 0, 5, lineage=((3, "lr x2", "a"),)),
        applied(5, "undo", "u", 1),
        applied(8, "set l1 0.1", "c", 1),
    ]
    assert branches.lineage(events) == ((3, "lr x2", "a"), (8, "set l1 0.1", "c"))
    assert branches.spent(events) == {"a", "p", "b", "u", "c"}


def test_what_is_still_to_be_applied_again_belongs_to_it() -> None:
    pending = ((3, "lr x2", "a"), (5, "batch 8", "b"))
    events: list[AnyEvent] = [fork(1, 0, 0, pending=pending), applied(3, "lr x2", "a", 1)]
    assert branches.lineage(events) == pending


def test_a_stop_that_ended_the_run_does_not_lead_beyond_it() -> None:
    finished = Finished(
        step=9,
        branch=0,
        reason="stopped",
        test=None,
        best=None,
        run="r",
        weights_sha256="",
        lineage=((3, "lr x2"), (9, "stop")),
    )
    events: list[AnyEvent] = [applied(3, "lr x2", "a"), applied(9, "stop", "s"), finished]
    assert branches.lineage(events) == ((3, "lr x2", "a"),)
    assert [entry[1] for entry in branches.lineage(events[:2])] == ["lr x2", "stop"]
