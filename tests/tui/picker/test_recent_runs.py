import os
from pathlib import Path

import pytest
from support.run_files import EPOCH, FAILED, FINISHED, INTERRUPTED, written

from trainconsole import presets
from trainconsole.engine.protocol.events import Event
from trainconsole.engine.transport import registry
from trainconsole.tui.picker import recent_runs
from trainconsole.tui.picker.recent_runs import Seen
from trainconsole.tui.state.run_list import moment


def known(seen: tuple[Seen, ...]) -> dict[Path, Seen]:
    return {one.path: one for one in seen}


def test_live_ones_first_then_the_newest(tmp_path: Path) -> None:
    paths = [written(tmp_path, EPOCH, FINISHED, name=name) for name in ("a", "b", "c")]
    elsewhere = written(tmp_path / "other", EPOCH)
    for path in (paths[0], elsewhere):
        registry.register(path, tmp_path / "no.sock")
    seen = recent_runs.look(tmp_path, {})
    assert {one.path for one in seen if one.live} == {elsewhere, paths[0]}
    assert [one.path for one in seen if not one.live] == sorted(paths[1:], reverse=True)
    assert [one.live for one in seen] == [True, True, False, False]


def test_only_so_many(tmp_path: Path) -> None:
    paths = [written(tmp_path, FINISHED, name=name) for name in ("a", "b", "c")]
    assert [one.path for one in recent_runs.look(tmp_path, {}, most=2)] == sorted(paths, reverse=True)[:2]


def test_what_is_over_and_unchanged_is_not_read_again(tmp_path: Path) -> None:
    run = written(tmp_path, EPOCH, FINISHED)
    before = recent_runs.look(tmp_path, {})
    stamp = (run / "events.jsonl").stat()
    (run / "events.jsonl").write_text("{}\n")
    os.utime(run / "events.jsonl", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert recent_runs.look(tmp_path, known(before)) == before
    assert recent_runs.look(tmp_path, {})[0].row.status == "unreadable"


def test_what_may_go_on_is_read_again(tmp_path: Path) -> None:
    run = written(tmp_path, EPOCH, INTERRUPTED)
    before = recent_runs.look(tmp_path, {})
    assert before[0].row.status == "interrupted"
    registry.register(run, tmp_path / "no.sock")
    after = recent_runs.look(tmp_path, known(before))
    assert (after[0].live, after[0].row.pid) == (True, os.getpid())


def test_no_directory(tmp_path: Path) -> None:
    assert recent_runs.look(tmp_path / "none", {}) == ()


def test_a_row(tmp_path: Path) -> None:
    written(tmp_path, EPOCH, FINISHED)
    (seen,) = recent_runs.look(tmp_path, {})
    name, status, epoch, best, when = recent_runs.entry(seen).cells
    epochs = presets.load("iris")[1].epochs
    assert (name, status, epoch, best) == (seen.path.name, "finished", f"3/{epochs}", "accuracy 0.9871")
    assert when == moment(seen.written / 1e9)


def test_a_run_without_events(tmp_path: Path) -> None:
    run = written(tmp_path)
    (run / "events.jsonl").unlink()
    (seen,) = recent_runs.look(tmp_path, {})
    assert recent_runs.entry(seen).cells[1:] == ("killed", f"0/{presets.load('iris')[1].epochs}", "-", "")
    assert dict(recent_runs.facts(seen))["written"] == "-"


@pytest.mark.parametrize(
    ("end", "offered"), [(FINISHED, False), (FAILED, True), (INTERRUPTED, True), (EPOCH, True)]
)
def test_what_was_cut_off_can_be_resumed(tmp_path: Path, end: Event, offered: bool) -> None:
    written(tmp_path, end)
    (seen,) = recent_runs.look(tmp_path, {})
    facts = dict(recent_runs.facts(seen))
    assert ("go on" in facts) == offered
    assert facts["in"] == str(tmp_path)


def test_names_are_harmless(tmp_path: Path) -> None:
    run = written(tmp_path, EPOCH, FINISHED)
    run.rename(tmp_path / "a\x1b[2J")
    (seen,) = recent_runs.look(tmp_path, {})
    assert recent_runs.entry(seen).cells[0] == "a\ufffd[2J"


def test_the_config_of_a_run(tmp_path: Path) -> None:
    run = written(tmp_path, EPOCH)
    (seen,) = recent_runs.look(tmp_path, {})
    assert recent_runs.config_text(seen) == (run / "config.toml").read_text()
    (run / "config.toml").unlink()
    assert recent_runs.config_text(seen) == ""
