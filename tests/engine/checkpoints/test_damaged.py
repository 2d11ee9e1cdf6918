"""Checkpoints that were cut or altered are refused, and the one before is used."""

import random
from pathlib import Path

import pytest
from support.resuming import live, start

from trainconsole.engine.protocol.commands import Interrupt
from trainconsole.engine.rewind.restore_points import on_chain, soundest
from trainconsole.engine.runs.branches import Fork


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two checkpoints of a run, the newest first."""
    launch = start(tmp_path_factory.mktemp("run"), "iris")
    ran = live(launch, after={6: ["checkpoint"], 9: [Interrupt(signal="SIGTERM")]})
    found = on_chain(ran.path / "checkpoints", {0: Fork(0, None, 0)}, 0, 100)
    lasts = [path for path in found if path.name.startswith("last-b")]
    assert [path.name for path in lasts] == ["last-b0-s000009.pt", "last-b0-s000006.pt"]
    return lasts


def used(files: list[Path]) -> int:
    """The step of the state that is taken."""
    damaged: list[str] = []
    found = soundest(files, [], damaged)
    assert found is not None
    if found[2] != files[0]:
        assert "cut short" in damaged[0] or "damaged" in damaged[0]
    return int(found[0]["position"]["step"])


def test_whole_ones_are_used(files: list[Path]) -> None:
    assert used(files) == 9


def test_cut_at_every_byte_of_the_last_kilobyte_and_at_two_hundred_others(files: list[Path]) -> None:
    newest, whole = files[0], files[0].read_bytes()
    elsewhere = random.Random(1).sample(range(len(whole) - 1024), 200)
    try:
        for size in [*range(len(whole) - 1024, len(whole)), *elsewhere]:
            newest.write_bytes(whole[:size])
            assert used(files) == 6, f"cut to {size} of {len(whole)} bytes"
    finally:
        newest.write_bytes(whole)


def test_each_of_two_hundred_flipped_bits(files: list[Path]) -> None:
    newest, whole = files[0], files[0].read_bytes()
    try:
        for bit in random.Random(2).sample(range(8 * len(whole)), 200):
            altered = bytearray(whole)
            altered[bit // 8] ^= 1 << bit % 8
            newest.write_bytes(altered)
            assert used(files) == 6, f"bit {bit % 8} of byte {bit // 8}"
    finally:
        newest.write_bytes(whole)
