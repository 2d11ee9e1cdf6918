"""Buffers that are there before the first copy."""

from pathlib import Path

import torch

from trainconsole.engine.checkpoint import copy_state
from trainconsole.engine.config import Checkpoints
from trainconsole.engine.saver import Saver


def test_spare_buffers_are_given_away_once(tmp_path: Path) -> None:
    live = {"model": {"weight": torch.ones(3, 4)}, "step": 7}
    saver = Saver(tmp_path, Checkpoints())
    try:
        assert saver.take_room() is None
        saver.make_room(live, spare=True)
        saver.flush()
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
