"""What a run directory holds that is none of the run's: never written to, never removed."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.resuming import go_on, live, start
from support.running import Ran

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.commands import Interrupt
from trainconsole.engine.record import own_files, run_directory

LEFT = {
    "checkpoints/.last-b0-s000006.pt.123": "file",
    "checkpoints/.best.pt.123": "file",
    "checkpoints/.mine.123": "mine-b0-s000003.pt",
    "undo/000001.pt": "file",
    "undo/.000002.pt.123": "file",
    "undo/newest.pt": "000001.pt",
    ".meta.json.123": "file",
    ".config.toml.123": "file",
}
"""Of a session that was killed: a file, or a link to what is named."""

THEIRS = {
    "checkpoints/resnet.pt": "file",
    "checkpoints/resnet-b0-s000003.pt": "file",
    "checkpoints/.notes.pt.123": "file",
    "checkpoints/.mine.12a": "mine-b0-s000003.pt",
    "checkpoints/away.pt": "../../elsewhere/x.pt",
    "checkpoints/folder-b0-s000001.pt": "folder",
    ".meta.json.old": "file",
    ".meta.json.1": "folder",
    "notes.md": "file",
}


def put(run: Path, things: dict[str, str]) -> None:
    for name, kind in things.items():
        path = run / name
        path.parent.mkdir(exist_ok=True)
        if kind == "file":
            path.write_bytes(b"x")
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to(kind)


def wrote(ran: Ran) -> list[str]:
    return [event["path"].removeprefix("checkpoints/") for event in ran.of("checkpoint")]


def there(run: Path, things: dict[str, str]) -> list[str]:
    return [name for name in things if (run / name).is_symlink() or (run / name).exists()]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of somebody else's, with files of names that the program uses."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name in ("000001.pt", "last-b0-s000001.pt", "last-b0-s000002.pt", "last-b0-s000003.pt", "x.pt"):
        (folder / name).write_bytes(b"theirs")
    return folder


def test_leftovers_go_and_nothing_else(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    put(run, LEFT | THEIRS)
    own_files.sweep(run)
    assert there(run, LEFT) == []
    assert there(run, THEIRS) == list(THEIRS)
    assert not (run / "undo").exists()


def test_the_next_session_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    ran = live(start(tmp_path, "iris"), dies=9)
    put(ran.path, LEFT | THEIRS)
    again = live(go_on(ran))
    assert again.last["type"] == "finished"
    assert there(ran.path, LEFT) == []
    assert there(ran.path, THEIRS) == list(THEIRS)


@pytest.mark.parametrize("folder", own_files.FOLDERS)
def test_nothing_is_swept_or_removed_behind_a_link(tmp_path: Path, elsewhere: Path, folder: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / folder).symlink_to(elsewhere)
    before = sorted(os.listdir(elsewhere))
    own_files.sweep(run)
    with pytest.raises(UserError, match=f"{folder}: it is a link, not a directory"):
        own_files.check(run)
    assert own_files.remove(run, []) == [folder]
    assert sorted(os.listdir(elsewhere)) == before


KINDS: dict[str, Callable[[Path, Path], None]] = {
    "a link": lambda path, elsewhere: path.symlink_to(elsewhere / "x.pt"),
    "a directory": lambda path, elsewhere: path.mkdir(),
    "a fifo": lambda path, elsewhere: os.mkfifo(path),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", own_files.FILES)
def test_what_is_no_file_is_refused_in_words(tmp_path: Path, elsewhere: Path, name: str, kind: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    KINDS[kind](run / name, elsewhere)
    with pytest.raises(UserError, match=f"{name}: it is {kind}, not a file"):
        own_files.check(run)


@pytest.mark.parametrize("name", ["metrics.bin", "events.jsonl"])
def test_the_recorder_neither_cuts_nor_appends_behind_a_link(
    tmp_path: Path, elsewhere: Path, name: str
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (elsewhere / "x.pt").write_bytes(b"no end of line")
    (run / name).symlink_to(elsewhere / "x.pt")
    with pytest.raises(OSError, match="it is a link, not a file"):
        run_directory.Recorder(run)
    with contextlib.suppress(OSError, UserError):
        run_directory.repair(run)
    assert (elsewhere / "x.pt").read_bytes() == b"no end of line"


def test_a_removed_run_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    interrupt = Interrupt(signal="SIGTERM")
    ran = live(start(tmp_path, "iris"), after={7: ["checkpoint mine"], 9: [interrupt]})
    put(ran.path, THEIRS)
    left = own_files.remove(ran.path, wrote(ran))
    assert left == [".meta.json.1", ".meta.json.old", "checkpoints", "notes.md"]
    assert there(ran.path, THEIRS) == list(THEIRS)
    found = sorted(name for name in os.listdir(ran.path / "checkpoints"))
    assert found == sorted(name.partition("/")[2] for name in THEIRS if name.startswith("checkpoints/"))


@pytest.mark.parametrize("copied", [False, True])
def test_a_removed_run_is_gone(tmp_path: Path, copied: bool) -> None:
    interrupt = Interrupt(signal="SIGTERM")
    ran = live(start(tmp_path, "iris"), after={7: ["checkpoint mine"], 9: [interrupt]})
    for link in (ran.path / "checkpoints").glob("*.pt"):
        if copied and link.is_symlink():
            data = link.read_bytes()
            link.unlink()
            link.write_bytes(data)
    assert own_files.remove(ran.path, wrote(ran)) == []
    assert not ran.path.exists()
