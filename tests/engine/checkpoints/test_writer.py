"""Buffers that are there before the first copy; a save that failed is not done before it is written."""

import errno
from pathlib import Path

import pytest
import torch

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.checkpoints.checkpoint import State, copy_state
from trainconsole.engine.checkpoints.writer import Saver
from trainconsole.engine.config.run import Checkpoints

STATE: State = {
    "format": 1,
    "branch": 0,
    "position": {"step": 7, "epoch": 0},
    "model": {"weight": torch.ones(3)},
    "lineage": [],
    "config": {"optimizer": {}},
}


def test_spare_buffers_are_given_away_once(tmp_path: Path) -> None:
    live = {"model": {"weight": torch.ones(3, 4)}, "step": 7}
    saver = Saver(tmp_path, Checkpoints())
    try:
        assert saver.take_room() is None
        saver.make_room(live, spare=True)
        room = saver.take_room()
        assert room is not None
        pointer = room["model"]["weight"].data_ptr()
        copied = copy_state(live, room)
        assert copied["model"]["weight"].data_ptr() == pointer
        assert torch.equal(copied["model"]["weight"], live["model"]["weight"])
        assert saver.take_room() is None
        saver.make_room(live, spare=False)
        saver.flush()
        assert saver.take_room() is None
    finally:
        saver.close()


def test_after_one_that_failed_a_save_has_come_through_when_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    tries: list[int] = []

    def refused(*args: object, **options: object) -> None:
        tries.append(1)
        raise full

    saver = Saver(tmp_path, Checkpoints())
    try:
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "save", refused)
            saver.save_last(STATE, None, 0.0)
            # What it met is told by the next, and each of those after it tells its own.
            for _ in range(3):
                with pytest.raises(OSError, match="No space left"):
                    saver.save_last(STATE, None, 0.0)
        assert len(tries) == 3
        saver.save_last(STATE, None, 0.0)
        assert [event.path for event in saver.saved()] == ["checkpoints/last-b0-s000007.pt"]
    finally:
        saver.close()
