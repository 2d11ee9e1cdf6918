"""Where the system says no: one message with the way out, the right exit code, nothing left behind."""

import os
import subprocess
from pathlib import Path

import msgspec
import pytest
from support.process import Ended, command, environment, trainconsole
from support.run_files import FINISHED, written

from trainconsole.engine.transport import registry
from trainconsole.tui.state.run_list import moment

IRIS = ["--preset", "iris", "--no-ui", "--threads", "1", "--set", "epochs=1"]
SHIMS = {
    "no locks": """
import errno, fcntl
def flock(fd, operation):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
""",
    "no place for sockets": """
import errno, os
made = os.mkdir
def mkdir(path, *args, **options):
    if str(path).startswith("/tmp/trainconsole-"):
        raise OSError(errno.EROFS, "Read-only file system", str(path))
    made(path, *args, **options)
os.mkdir = mkdir
""",
    "no home": """
import os, pwd
def unknown(who):
    raise KeyError(who)
pwd.getpwuid = pwd.getpwnam = unknown
for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
    os.environ.pop(name, None)
""",
    "a fault": """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "trainconsole.tui.state.run_list":
            raise ZeroDivisionError("nobody thought of \\x1b[31m this\\nat all")
sys.meta_path.insert(0, Finder())
""",
}


def under(shim: str, *args: str, cwd: Path, **env: str) -> Ended:
    (cwd / "shim").mkdir()
    (cwd / "shim" / "sitecustomize.py").write_text(SHIMS[shim])
    return trainconsole(*args, cwd=cwd, PYTHONPATH=str(cwd / "shim"), **env)


@pytest.mark.parametrize(
    ("shim", "said", "remedy"),
    [
        ("no locks", "cannot be locked: No locks available", "--runs-dir DIR"),
        ("no place for sockets", "for the socket: Read-only file system", "Set TRAINCONSOLE_SOCKETS"),
    ],
)
def test_a_start_that_cannot_be_says_why_and_what_to_do(
    tmp_path: Path, shim: str, said: str, remedy: str
) -> None:
    ended = under(shim, *IRIS, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert remedy in ended.err
    assert len(ended.err.splitlines()) <= 3
    assert [*(tmp_path / "runs").iterdir()] == []


def test_sockets_go_where_the_environment_says(tmp_path: Path, short: Path) -> None:
    ended = under("no place for sockets", *IRIS, cwd=tmp_path, TRAINCONSOLE_SOCKETS=str(short))
    assert ended.code == 0, ended.err
    assert [path.name for path in short.iterdir()] == [f"trainconsole-{os.getuid()}"]


def test_without_a_home_a_run_trains_and_nothing_lies_in_the_current_directory(
    tmp_path: Path, short: Path
) -> None:
    ended = under("no home", *IRIS, cwd=tmp_path, TRAINCONSOLE_SOCKETS=str(short))
    assert ended.code == 0, ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "shim"}


def test_what_nobody_foresaw_ends_in_three_lines_and_a_file(tmp_path: Path) -> None:
    ended = under("a fault", "runs", cwd=tmp_path)
    assert (ended.code, ended.out) == (1, "")
    assert len(ended.err.splitlines()) == 3
    assert "a fault of trainconsole itself: ZeroDivisionError: nobody thought of" in ended.err
    assert "\x1b" not in ended.err
    (file,) = (Path(os.environ["XDG_STATE_HOME"]) / "trainconsole" / "failures").iterdir()
    assert str(file) in ended.err
    assert file.stat().st_mode & 0o777 == 0o600
    assert "Traceback (most recent call last)" in file.read_text()


def test_the_trace_goes_elsewhere_where_there_is_no_state_directory(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    (tmp_path / "tmp").mkdir()
    elsewhere = {"XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path / "tmp")}
    ended = under("a fault", "runs", cwd=tmp_path, **elsewhere)
    assert ended.code == 1
    assert len([*(tmp_path / "tmp").iterdir()]) == 1
    assert "Traceback" not in ended.err


FULL = [("runs",), ("presets",), ("presets", "iris"), ("--help",), ("runs", "--json"), ("ctl", "--help")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("args", FULL, ids=" ".join)
def test_an_answer_that_cannot_be_written_is_said(tmp_path: Path, args: tuple[str, ...]) -> None:
    written(tmp_path / "runs", FINISHED)
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            command(*args), cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def test_nobody_who_reads_on_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as pipe:
        done = subprocess.run(
            command("presets"),
            cwd=tmp_path,
            env=environment(),
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "\ufeff[" + "a." * 50_000 + "b]"], ids=["deep", "long"]
)
def test_a_preset_that_is_too_deep_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "deep.toml").write_text(text)
    ended = trainconsole("--preset", "deep.toml", "--no-ui", cwd=tmp_path)
    assert ended.code == 2
    assert "deep.toml: " in ended.err
    assert len(ended.err.splitlines()) <= 3
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"since": 1e300},
        {"since": -1e300},
        {"since": 2.0**60},
        {"run": "a\0b"},
        {"pid": 2**62},
        {"run": "here"},
    ],
    ids=str,
)
def test_an_entry_that_no_host_wrote_is_nobody(tmp_path: Path, changes: dict[str, object]) -> None:
    file = registry.register(tmp_path, tmp_path / "sock")
    assert [entry.run for entry in registry.live()] == [str(tmp_path)]
    entry = {**msgspec.json.decode(file.read_bytes()), **changes}
    file.write_bytes(msgspec.json.encode(entry))
    assert registry.live() == []
    assert trainconsole("runs", cwd=tmp_path).err == "no runs in runs\n"


def test_a_time_that_cannot_be_is_no_error() -> None:
    for since in (1e300, -1e300, float("inf"), float("nan"), 2.0**50):
        assert moment(since) == "?"


def test_a_run_whose_directory_is_renamed_says_so_and_goes_on_where_it_is(hosts) -> None:
    process, run = hosts.training("--set", "checkpoint.epoch_seconds=1000", preset="iris", epochs=100_000)
    moved = run.rename(run.parent / "moved")
    asked = trainconsole("stop", run.name, cwd=hosts.cwd)
    assert asked.code == 2
    assert "its directory is not where it was" in asked.err
    assert process.wait(60) == 1
    said = (hosts.cwd / "err").read_text()
    assert f"{run} is gone: renamed or removed while it trained" in said
    assert "Traceback" not in said
    ended = trainconsole("resume", str(moved), "--no-ui", "--set", "epochs=2", cwd=hosts.cwd)
    assert ended.code == 0, ended.err


def test_stop_all_that_was_refused_does_not_exit_as_if_all_were_well(tmp_path: Path, short: Path) -> None:
    """A host that is listed, and does not listen."""
    sleeper = subprocess.Popen(["sleep", "600"])
    try:
        file = registry.register(tmp_path, short / "nobody.sock")
        entry = msgspec.json.decode(file.read_bytes())
        entry |= {"pid": sleeper.pid, "began": registry.began(sleeper.pid)}
        file.write_bytes(msgspec.json.encode(entry))
        ended = trainconsole("stop", "--all", cwd=tmp_path)
        assert ended.code == 2
        assert "nobody answers at" in ended.err
    finally:
        sleeper.kill()
        sleeper.wait()
