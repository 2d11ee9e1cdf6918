"""No memory, or nothing to read back: the command is refused, says why, and training goes on as if nothing
had been asked."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.resuming import live, start

from trainconsole.engine.checkpoints import parts, undo_stack, writer
from trainconsole.engine.checkpoints.checkpoint import State
from trainconsole.engine.tensors import memory
from trainconsole.engine.tensors.copies import copy_state

ERRORS = {
    "python": MemoryError(),
    "cpu": RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory"),
    "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    "mps": RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
}
LIVE = ("model.dropout=0.2", "checkpoint.epoch_seconds=1e9", "checkpoint.step_seconds=1e9")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(live(start(tmp_path_factory.mktemp("plain"), "iris", *LIVE)).last["weights_sha256"])


def failing(error: Exception, times: int) -> Callable[..., State]:
    """As copy_state, but the first `times` raise."""
    left = [error] * times

    def copied(*args: object) -> State:
        if left:
            raise left.pop()
        return copy_state(*args)

    return copied


@pytest.mark.parametrize("kind", ERRORS)
def test_no_memory_for_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: str, kind: str
) -> None:
    monkeypatch.setattr(undo_stack, "copy_state", failing(ERRORS[kind], 2))
    launch = start(tmp_path, "iris", *LIVE)
    ran = live(launch, after={7: ["lr x0.5", "rewind step 2"], 9: ["lr x0.5"], 11: ["undo", "undo"]})
    reasons = [answer["reason"] for answer in ran.rejected]
    assert reasons[:2] == ["no room for the snapshot that undo needs: out of memory"] * 2
    assert "nothing to undo" in reasons[2]
    assert ran.last["weights_sha256"] == undisturbed


@pytest.mark.parametrize("kind", ERRORS)
def test_no_memory_to_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: str, kind: str
) -> None:
    monkeypatch.setattr(parts, "copy_state", failing(ERRORS[kind], 3))
    wishes = {3: ["checkpoint here"], 7: ["lr x0.5"], 9: ["rewind step 0", "rewind here", "undo", "undo"]}
    ran = live(start(tmp_path, "iris", *LIVE), after=wishes)
    assert [answer["reason"].partition(": ")[2] for answer in ran.rejected] == ["out of memory"] * 3
    assert [event["command"] for event in ran.applied][-1] == "undo"
    assert ran.last["lineage"] == []
    assert ran.last["weights_sha256"] == undisturbed


def test_a_snapshot_that_cannot_be_read_back_is_dropped_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = undo_stack.UndoStack.take

    def cut(stack: undo_stack.UndoStack, state: State, best: State | None) -> bool:
        done = taken(stack, state, best)
        for file in tmp_path.glob("*/undo/*.pt"):
            os.truncate(file, 100)
        return done

    monkeypatch.setattr(undo_stack.UndoStack.__init__, "__defaults__", (0, 2**30))
    monkeypatch.setattr(undo_stack.UndoStack, "take", cut)
    wishes = {3: ["lr x0.5"], 5: ["lr x0.5"], 7: ["lr x0.5"], 9: ["undo", "undo", "undo", "undo"]}
    ran = live(start(tmp_path, "iris", *LIVE), after=wishes)
    assert [event["command"] for event in ran.applied] == ["lr x0.5"] * 3 + ["undo"]
    reasons = [answer["reason"] for answer in ran.rejected]
    assert all("cut short" in reason for reason in reasons[:2])
    assert "nothing to undo" in reasons[2]
    assert ran.last["lineage"] == [[3, "lr x0.5"], [5, "lr x0.5"]]


def test_no_memory_for_a_copy_of_what_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "copy_state", failing(MemoryError(), 1))
    ran = live(start(tmp_path, "iris", *LIVE), after={7: ["checkpoint"], 8: ["rewind last"]})
    assert ran.rejected == []
    assert ran.applied[0]["command"] == "checkpoint"
    assert ran.last["type"] == "finished"


def test_what_an_allocator_says_is_told_from_other_errors() -> None:
    assert all(memory.ran_out(error) for error in ERRORS.values())
    assert not memory.ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not memory.ran_out(ValueError("out of memory"))
