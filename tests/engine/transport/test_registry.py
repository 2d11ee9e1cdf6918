"""The list of live hosts: kept honest by the process's start time, unharmed by what else lies there."""

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from trainconsole.engine.common import user_dirs
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.record.lock import RunLock
from trainconsole.engine.transport import registry, unix_socket
from trainconsole.engine.transport.registry import Live


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def put(run: Path, pid: int, began: str, hostname: str = "", sock: str = "/nowhere.sock") -> Path:
    """An entry as a host would write it."""
    entry = Live(
        run=str(run),
        pid=pid,
        began=began,
        hostname=hostname or socket.gethostname(),
        socket=sock,
        since=time.time(),
    )
    registry.folder().mkdir(parents=True, exist_ok=True)
    file = registry.folder() / f"{run.name}-{pid}.json"
    file.write_bytes(msgspec.json.encode(entry))
    return file


def run_in(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "config.toml").write_text("")
    return path


def test_a_host_is_listed_until_it_leaves(tmp_path: Path) -> None:
    file = registry.register(tmp_path, tmp_path / "a.sock")
    (entry,) = registry.live()
    assert (entry.run, entry.pid, entry.socket) == (str(tmp_path), os.getpid(), str(tmp_path / "a.sock"))
    assert registry.of(tmp_path) == entry
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert str(file).startswith(os.environ["XDG_STATE_HOME"])
    registry.unregister(file)
    assert registry.live() == []
    assert list(registry.folder().iterdir()) == []


def test_another_process_of_the_same_number_is_not_taken_for_it(tmp_path: Path) -> None:
    file = put(tmp_path, os.getpid(), "1")
    assert registry.live() == []
    assert not file.exists()


def test_a_killed_process_is_dead_also_while_nobody_has_reaped_it(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    put(tmp_path, sleeper.pid, registry.began(sleeper.pid) or "")
    assert [entry.pid for entry in registry.live()] == [sleeper.pid]
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert registry.live() == []


def test_where_there_is_no_proc_it_is_known_as_well(sleeper: subprocess.Popen[bytes]) -> None:
    start = registry._began_elsewhere(sleeper.pid)
    assert start is not None
    assert start == registry._began_elsewhere(sleeper.pid) != registry._began_elsewhere(os.getpid())
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert registry._began_elsewhere(sleeper.pid) is None
    sleeper.wait()
    assert registry._began_elsewhere(sleeper.pid) is None


def test_hosts_of_other_machines_are_neither_listed_nor_swept(tmp_path: Path) -> None:
    file = put(tmp_path, 1, "1", hostname="elsewhere.example")
    assert registry.live() == []
    assert file.exists()


def test_garbage_harms_nobody(tmp_path: Path) -> None:
    registry.register(tmp_path, tmp_path / "a.sock")
    folder = registry.folder()
    contents = [b"", b"\xff\xfe", b"{}", b"[" * 50_000, b'{"run": 3}', b"null", b'"x"', b"{" * 10]
    for index, data in enumerate(contents):
        (folder / f"{index}.json").write_bytes(data)
    (folder / "directory.json").mkdir()
    (folder / "link.json").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.json")
    put(tmp_path, -1, "")
    put(tmp_path, 2**62, "")
    assert [entry.pid for entry in registry.live()] == [os.getpid()]


def test_sweeping_removes_no_file_that_an_entry_merely_names(tmp_path: Path, short: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    foreign = short / "foreign.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(foreign))
    listener.close()
    for index, target in enumerate((precious, foreign, user_dirs.sockets() / ".." / precious.name)):
        put(tmp_path / str(index), os.getpid(), "1", sock=str(target))
    assert registry.live() == []
    assert precious.exists()
    assert foreign.exists()


def test_resolve_takes_a_live_run_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_in(tmp_path / "far", "2026-01-01_10-00-00_digits")
    old = run_in(tmp_path / "runs", "2026-01-01_09-00-00_iris")
    run_in(tmp_path / "runs", "2026-01-01_10-00-00_digits_2")
    monkeypatch.chdir(tmp_path)
    assert registry.resolve(Path("runs"), "last").name == "2026-01-01_10-00-00_digits_2"
    registry.register(run, tmp_path / "a.sock")
    for name in ("last", "2026-01-01_10-00-00_digits", "2026-01-01_10", str(run), "far/" + run.name):
        assert registry.resolve(Path("runs"), name) == run
    assert registry.resolve(Path("runs"), "2026-01-01_10-00-00_digits_2").parent == tmp_path / "runs"
    assert registry.resolve(Path("runs"), "2026-01-01_09") == old
    with pytest.raises(UserError, match="no run 'nope'"):
        registry.resolve(Path("runs"), "nope")


def test_a_prefix_of_two_live_runs_is_ambiguous(tmp_path: Path) -> None:
    for name in ("one_a", "one_b"):
        registry.register(run_in(tmp_path, name), tmp_path / "a.sock")
    with pytest.raises(UserError, match="fits 2 live runs"):
        registry.resolve(tmp_path, "one")


def test_a_host_that_could_not_list_itself_is_found_by_its_lock(tmp_path: Path) -> None:
    sock = unix_socket.socket_path(tmp_path, os.getpid())
    with RunLock(tmp_path):
        assert registry.of(tmp_path) is None
        listener = unix_socket.listen(sock)
        try:
            entry = registry.of(tmp_path)
        finally:
            listener.close()
            sock.unlink()
        assert entry is not None
        assert (entry.pid, entry.socket) == (os.getpid(), str(sock))
    assert registry.of(tmp_path) is None
