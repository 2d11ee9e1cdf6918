"""The stack of snapshots: what it shares, where it puts them, what it drops."""

from pathlib import Path

import pytest
import torch

from trainconsole.engine.checkpoints.undo_stack import UndoStack
from trainconsole.engine.tensors.copies import size_of


def state(step: int, value: float, numbers: int = 250) -> dict[str, object]:
    """A state of 4 * numbers bytes."""
    return {
        "format": 1,
        "branch": 0,
        "seconds": 0.0,
        "position": {"step": step, "epoch": 0, "consumed": 0},
        "lineage": [],
        "lineage_ids": [],
        "best": None,
        **{name: {} for name in ("config", "plan", "patience", "optimizer", "scaler", "random")},
        "model": {"weights": torch.full((numbers,), float(value))},
    }


def values(stack: UndoStack) -> list[float]:
    """Of all snapshots, the newest first; takes them off."""
    found = []
    while stack.depth:
        found.append(float(stack.newest()[0]["model"]["weights"][0]))
        stack.drop_newest()
    return found


def test_commands_of_one_boundary_share_a_snapshot(tmp_path: Path) -> None:
    stack = UndoStack(tmp_path)
    assert [stack.take(state(step, step), None) for step in (3, 3, 5)] == [True, False, True]
    assert values(stack) == [5.0, 3.0]
    with pytest.raises(IndexError):
        stack.newest()


def test_a_snapshot_is_a_copy(tmp_path: Path) -> None:
    stack, live = UndoStack(tmp_path), state(1, 1.0)
    stack.take(live, None)
    live["model"]["weights"] += 1  # type: ignore[index]
    assert values(stack) == [1.0]


def test_beyond_its_memory_the_oldest_go_to_the_disk_and_come_back(tmp_path: Path) -> None:
    stack = UndoStack(tmp_path, in_memory=2500)
    for step in range(5):
        stack.take(state(step, step), None)
    assert len([path for path in (tmp_path / "undo").iterdir() if not path.is_symlink()]) == 3
    assert values(stack) == [4.0, 3.0, 2.0, 1.0, 0.0]
    stack.clear()
    assert not (tmp_path / "undo").exists()


def test_beyond_the_disk_the_oldest_are_dropped(tmp_path: Path) -> None:
    stack = UndoStack(tmp_path, in_memory=1000, on_disk=2000)
    for step in range(6):
        stack.take(state(step, step), None)
    assert stack.depth == 3
    assert values(stack) == [5.0, 4.0, 3.0]


def test_the_best_is_kept_by_reference(tmp_path: Path) -> None:
    stack, best = UndoStack(tmp_path), state(0, 9.0)
    stack.take(state(1, 1.0), best)
    assert stack.holds(best)
    assert not stack.holds(state(0, 9.0))
    assert stack.newest()[1] is best


def test_size_counts_tensors_wherever_they_are() -> None:
    assert size_of({"a": [torch.zeros(3), {"b": torch.zeros(2, dtype=torch.float64)}], "c": "text"}) == 28
