"""Which run is the newest: the one that started last, whatever the clock on the wall said."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.run_files import FINISHED, written

from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.record import run_directory
from trainconsole.tui.state import run_list


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def in_zone(patch: pytest.MonkeyPatch, zone: str) -> None:
    patch.setenv("TZ", zone)
    time.tzset()


def begun(folder: Path, name: str, at: float | None) -> Path:
    """A run called `name` that started at `at`; None for one that has nothing but its config."""
    path = folder / name
    path.mkdir(parents=True)
    run_directory.write_config(path, RunConfig())
    if at is not None:
        line = f'{{"type":"paused","step":0,"branch":0,"seq":0,"time":{at},"why":""}}\n'
        (path / "events.jsonl").write_text(line, encoding="utf-8")
    return path


def test_in_two_time_zones(tmp_path: Path, clock: pytest.MonkeyPatch) -> None:
    in_zone(clock, "KIR-14")
    first = written(tmp_path, FINISHED)
    in_zone(clock, "HON10")
    second = written(tmp_path, FINISHED)
    assert first.name > second.name
    assert run_directory.listing(tmp_path) == [first, second]
    assert run_directory.find(tmp_path, "last") == second
    assert run_list.deletable(tmp_path, 1) == [first]
    assert [row.name for row in run_list.rows(tmp_path)] == [first.name, second.name]


def test_in_the_hour_after_summer_time(tmp_path: Path) -> None:
    first = begun(tmp_path, "2026-10-25_02-50-00_a", 1792889400.0)
    second = begun(tmp_path, "2026-10-25_02-10-00_b", 1792890600.0)
    assert run_directory.find(tmp_path, "last") == second
    assert run_list.deletable(tmp_path, 1) == [first]


def test_one_that_never_trained_began_with_its_config(tmp_path: Path) -> None:
    now = time.time()
    old = begun(tmp_path, "2027-01-01_00-00-00_a", now - 100)
    new = begun(tmp_path, "2026-01-01_00-00-00_b", None)
    assert run_directory.listing(tmp_path) == [old, new]
    os.utime(new / "config.toml", (now - 200, now - 200))
    assert run_directory.listing(tmp_path) == [new, old]


DAMAGED = [b"", b"\xff\n", b"[" * 100_000, b'{"time":1e300}\n', b'{"time":"x"}\n', b"\0" * 999]


@pytest.mark.parametrize("damage", DAMAGED, ids=range(len(DAMAGED)))
def test_a_first_line_that_tells_no_time_is_passed_over(tmp_path: Path, damage: bytes) -> None:
    now = time.time()
    other = begun(tmp_path, "z", now - 100)
    path = begun(tmp_path, "a", now)
    (path / "events.jsonl").write_bytes(damage)
    assert run_directory.listing(tmp_path) == [other, path]
