"""ctl, stop and runs on hosts that are real processes."""

import json
import os
import pty
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from hosting import Hosts, events, newest, until
from process import PATIENCE, Ended, command, environment, trainconsole

from trainconsole import presets
from trainconsole.engine import address, live, lock, logind, record
from trainconsole.engine.client import Client
from trainconsole.engine.detached import unpacked
from trainconsole.engine.launch import Launch, prepare
from trainconsole.engine.lock import RunLock
from trainconsole.engine.reading import override
from trainconsole.engine.spawn import has_ended, packed, start_detached


def ran(cwd: Path, *args: str, preset: str = "iris") -> Path:
    """A run that is over."""
    ended = trainconsole("--preset", preset, "--no-ui", "--set", "epochs=2", "--threads", "1", *args, cwd=cwd)
    assert ended.code == 0, ended.err
    return record.listing(cwd / "runs")[-1]


def one_line(ended: Ended) -> str:
    assert ended.out.count("\n") == 1, ended.out
    return ended.out.rstrip("\n")


# --- ctl and stop ---


def test_a_run_is_steered_and_stopped_from_outside(
    hosts: Hosts, tmp_path_factory: pytest.TempPathFactory
) -> None:
    process, run = hosts.training("--set", "schedule.name=constant")
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    def ctl(*what: str) -> Ended:
        return trainconsole("ctl", run.name, *what, cwd=elsewhere)

    ended = ctl("lr", "x0.5")
    assert ended.code == 0, ended.err
    applied = next(event for event in reversed(events(run)) if event["type"] == "command_applied")
    assert one_line(ended).startswith(f"applied at step {applied['step']:,}: lr x0.5  (lr 0.002 -> 0.001")
    assert applied["origin"] == "ctl"

    assert one_line(ctl("pause")).startswith("applied at step ")
    rejected = ctl("pause")
    assert rejected.code == 1
    assert "rejected at step " in one_line(rejected)
    assert "already paused" in rejected.out

    listed = json.loads(trainconsole("runs", "--json", cwd=elsewhere).out)
    assert [(row["name"], row["status"], row["pid"]) for row in listed] == [(run.name, "paused", process.pid)]

    assert "dropout 0 -> 0.25" in one_line(ctl("set dropout 0.25"))
    assert ctl("resume").code == 0

    for nonsense in ("lr fast", "fly", "set wings 2"):
        ended = ctl(nonsense)
        assert ended.code == 2
        assert ended.out == ""
        assert ended.err.startswith("trainconsole: ")
    assert not any(word in json.dumps(events(run)) for word in ("fast", "fly", "wings"))
    assert ctl("lr", "-1").code in (1, 2)

    ended = trainconsole("stop", "last", cwd=elsewhere)
    assert ended.code == 0, ended.err
    assert one_line(ended).startswith(f"{run.name}: stopped at step ")
    assert process.wait(PATIENCE) == 0
    assert events(run)[-1]["type"] == "finished"
    assert next(e for e in events(run) if e["type"] == "command_rejected")["id"].startswith("ctl-")
    assert live.live() == []
    assert not lock.is_held(run)


def test_nobody_there(tmp_path: Path) -> None:
    run = ran(tmp_path)
    for args in (
        ("ctl", "last", "pause"),
        ("stop", run.name),
        ("ctl", "nope", "pause"),
        ("stop",),
    ):
        ended = trainconsole(*args, cwd=tmp_path)
        assert ended.code == 2, args
        assert ended.err.startswith("trainconsole: "), args
        assert "Traceback" not in ended.err
        assert ended.out == ""
    assert trainconsole("stop", "--all", cwd=tmp_path).code == 0


@pytest.mark.slow
def test_stop_all_ends_every_run_and_the_next_start_names_what_trains(hosts: Hosts, tmp_path: Path) -> None:
    first, run = hosts.training()
    second, other = hosts.training()
    entry = next(e for e in live.live() if e.pid == first.pid)
    third = trainconsole("--preset", "iris", "--no-ui", "--json", "--set", "epochs=1", cwd=tmp_path)
    notice = third.err.splitlines()[0]
    since = f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(entry.since))}"
    assert notice.startswith("still training: ")
    assert f"{run.name} (pid {first.pid}, since {since})" in notice
    assert f"{other.name} (pid {second.pid}, since" in notice
    assert all(line.startswith("{") for line in third.out.splitlines())
    assert trainconsole("runs", cwd=tmp_path).err.splitlines()[0].startswith("still training: ")
    ended = trainconsole("stop", "--all", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert sorted(line.split(": ")[0] for line in ended.out.splitlines()) == sorted([run.name, other.name])
    assert (first.wait(PATIENCE), second.wait(PATIENCE)) == (0, 0)


def test_after_kill_9_the_list_is_swept_and_the_run_counts_as_killed(hosts: Hosts, tmp_path: Path) -> None:
    process, run = hosts.training()
    sock = address.socket_path(run, process.pid)
    assert lock.is_held(run)
    process.kill()
    process.wait()
    assert sock.exists()
    (row,) = json.loads(trainconsole("runs", "--json", cwd=tmp_path).out)
    assert (row["status"], row["pid"]) == ("killed", None)
    assert not sock.exists()
    assert list(live.folder().iterdir()) == []
    assert not lock.is_held(run)
    assert trainconsole("ctl", "last", "pause", cwd=tmp_path).code == 2
    with Emulator("attach", run.name, cwd=tmp_path) as console:
        console.until("the host is gone")
        console.press("q")
        assert console.end() == 1
        assert f"'trainconsole resume {run.name}' goes on with it" in console.text


def test_the_socket_comes_back_while_a_run_trains(hosts: Hosts, tmp_path: Path) -> None:
    process, run = hosts.training()
    sock = address.socket_path(run, process.pid)
    sock.unlink()
    until(sock.is_socket, "new socket")
    assert trainconsole("ctl", "last", "set dropout 0.1", cwd=tmp_path).code == 0


@pytest.mark.slow
def test_a_second_writer_is_refused(hosts: Hosts, tmp_path: Path) -> None:
    process, run = hosts.training()
    before = (run / "lock").read_bytes()
    ended = trainconsole("resume", run.name, "--no-ui", cwd=tmp_path)
    assert ended.code == 2
    assert f"process {process.pid} on {socket.gethostname()}" in ended.err
    assert process.poll() is None
    assert (run / "lock").read_bytes() == before
    assert (run / "config.toml").exists()


# --- runs ---


@pytest.mark.slow
def test_runs_lists_each_with_its_status(tmp_path: Path) -> None:
    finished = ran(tmp_path)
    stopped = ran(tmp_path, "--at", "step 3: stop")
    broken = tmp_path / "runs" / "zz_broken"
    broken.mkdir()
    (broken / "config.toml").write_text("epochs = 'many'")
    (broken / "events.jsonl").write_bytes(b"\xff\n")
    never = tmp_path / "runs" / "zz_never"
    never.mkdir()
    (never / "config.toml").write_bytes((finished / "config.toml").read_bytes())
    ended = trainconsole("runs", "--json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    rows: dict[str, Any] = {row["name"]: row for row in json.loads(ended.out)}
    assert {name: row["status"] for name, row in rows.items()} == {
        finished.name: "finished",
        stopped.name: "stopped",
        "zz_broken": "unreadable",
        "zz_never": "killed",
    }
    row = rows[finished.name]
    assert (row["epoch"], row["epochs"], row["where"]) == (2, 2, str(finished))
    assert row["best"] == events(finished)[-1]["best"]
    assert row["size"] > 10_000
    table = trainconsole("runs", cwd=tmp_path).out.splitlines()
    assert len(table) == 5
    assert table[0].split() == ["run", "status", "epoch", "best", "size", "where"]
    assert table[1].split()[:3] == [finished.name, "finished", "2/2"]


def test_prune_asks_and_spares_what_is_live_or_in_use(hosts: Hosts, tmp_path: Path) -> None:
    names = ["2020-01-01_00-00-00_a", "2020-01-01_00-00-01_b", "2020-01-01_00-00-02_c"]
    _, training = hosts.training()
    for name in names:
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / "config.toml").write_text("")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.toml").write_text("")
    (tmp_path / "runs" / "2019_link").symlink_to(outside)

    asked = trainconsole("runs", "--prune", "--keep", "0", cwd=tmp_path)
    assert asked.code == 2
    assert "--yes" in asked.err
    assert [line.split()[0].rpartition("/")[2] for line in asked.out.splitlines()] == names

    with RunLock(tmp_path / "runs" / names[0]):
        pruned = trainconsole("runs", "--prune", "--keep", "1", "--yes", cwd=tmp_path)
    assert pruned.code == 0, pruned.err
    left = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert left == sorted(["2019_link", names[0], names[2], training.name])
    assert (outside / "config.toml").exists()
    assert training.name not in pruned.out
    assert "nothing to delete" in trainconsole("runs", "--prune", cwd=tmp_path).out


def test_no_torch_and_no_textual_for_what_only_reads(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from trainconsole.tui import clients, runs;"
        "from trainconsole.engine import client, detached, live, process; runs.rows(Path('runs'));"
        "print([name for name in ('torch', 'textual') if name in sys.modules])"
    )
    done = subprocess.run(
        [command()[0], "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == "[]\n"


# --- a host of its own ---


def launch_of(folder: Path, *assignments: str) -> Launch:
    _, config = presets.load("digits")
    config = override(config, ["epochs=2000", *assignments])
    return prepare(config, "digits", runs=folder / "runs", data_dir=folder / "data", device="cpu", threads=1)


@pytest.mark.parametrize("preset", [preset.name for preset in presets.listing()])
def test_a_launch_survives_the_pipe(tmp_path: Path, preset: str) -> None:
    _, config = presets.load(preset)
    launch = Launch(
        path=tmp_path,
        config=config,
        preset=preset,
        data_dir=Path("data"),
        command_line=("a", "b c"),
        threads=3,
    )
    assert unpacked(packed(launch)) == launch


def test_a_detached_host_has_a_session_of_its_own_and_leaves_nothing_behind(
    hosts: Hosts, tmp_path: Path
) -> None:
    launch = launch_of(tmp_path)
    pid = start_detached(launch)
    hosts.pids.append(pid)
    assert hosts.trains(pid) == launch.path
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/fd/0") == os.devnull
    assert os.readlink(f"/proc/{pid}/fd/1") == str(launch.path / "host.log")
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)
    os.kill(pid, signal.SIGHUP)
    assert trainconsole("ctl", "last", "set dropout 0.1", cwd=tmp_path).code == 0
    assert sorted(path.name for path in launch.path.iterdir()) == sorted(
        ["config.toml", "events.jsonl", "host.log", "lock", "meta.json", "metrics.bin"]
        + (["checkpoints"] if (launch.path / "checkpoints").exists() else [])
    )
    os.kill(pid, signal.SIGTERM)
    assert until(lambda: has_ended(pid), "end") == 143
    assert events(launch.path)[-1]["type"] == "interrupted"


def test_a_start_that_fails_tells_the_client_that_waits_for_it(tmp_path: Path) -> None:
    launch = launch_of(tmp_path, "data.name=image_folder", f"data.path={tmp_path / 'nowhere'}")
    pid = start_detached(launch)
    sock = address.socket_path(launch.path, pid)
    until(sock.exists, "socket")
    with Client(sock) as client:
        until(lambda: (now := newest(client)) and now.error, "reason")
        assert client.latest is not None
        assert "nowhere" in client.latest.error
    assert until(lambda: has_ended(pid), "end") == 2
    assert not launch.path.exists()
    assert not sock.exists()
    assert live.live() == []


def test_the_terminal_of_its_starter_may_close(hosts: Hosts, tmp_path: Path) -> None:
    """A shell on a pty starts a detached host, then the terminal goes away under it."""
    script = (
        "from pathlib import Path; import time; from test_clients import launch_of;"
        "from trainconsole.engine.spawn import start_detached;"
        f"print('pid', start_detached(launch_of(Path({str(tmp_path)!r}))), flush=True); time.sleep(600)"
    )
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command()[0], [command()[0], "-c", script], environment(PYTHONPATH=path))
    said = b""
    while b"\n" not in said.partition(b"pid ")[2]:
        said += os.read(terminal, 1000)
    pid = int(said.partition(b"pid ")[2].split()[0])
    hosts.pids.append(pid)
    run = hosts.trains(pid)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGHUP
    assert trainconsole("stop", run.name, cwd=tmp_path).code == 0
    assert events(run)[-1]["type"] == "finished"
    assert [event["seq"] for event in events(run)] == list(range(len(events(run))))
    assert len(record.read_rows(run)) == events(run)[-1]["step"]


def test_a_headless_run_outlives_its_terminal_too(hosts: Hosts, tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        argv = command("--preset", "digits", "--no-ui", "--threads", "1", "--set", "epochs=2000")
        os.execvpe(argv[0], argv, environment(TERM="xterm"))
    hosts.pids.append(child)
    run = hosts.trains(child)
    os.close(terminal)
    time.sleep(0.5)
    ended = trainconsole("stop", run.name, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert events(run)[-1]["type"] == "finished"


# --- logout ---

CONF = "# a comment\n[Login]\n#KillUserProcesses={default}\n#KillExcludeUsers=root\n"


@pytest.mark.parametrize(
    ("user", "config", "name", "kills"),
    [
        ("Linger=no\n", CONF.format(default="no"), "ann", False),
        ("Linger=no\n", CONF.format(default="yes"), "ann", True),
        ("Linger=yes\n", CONF.format(default="yes"), "ann", False),
        ("Linger=no\n", CONF.format(default="no") + "KillUserProcesses=yes\n", "ann", True),
        ("Linger=no\n", CONF.format(default="yes") + "KillUserProcesses=no\n", "ann", False),
        ("Linger=no\n", "KillUserProcesses=no\nKillUserProcesses = yes\n", "ann", True),
        ("Linger=no\n", "KillUserProcesses=yes\n", "root", False),
        ("Linger=no\n", "KillUserProcesses=yes\nKillExcludeUsers=bob ann\n", "ann", False),
        ("Linger=no\n", "KillUserProcesses=yes\nKillExcludeUsers=\n", "root", True),
        ("Linger=no\n", "KillUserProcesses=yes\nKillOnlyUsers=bob\n", "ann", False),
        ("Linger=no\n", "KillUserProcesses=yes\nKillOnlyUsers=bob ann\n", "ann", True),
        ("", "", "ann", False),
    ],
)
def test_where_a_logout_ends_training(user: str, config: str, name: str, kills: bool) -> None:
    assert logind.kills_at_logout(user, config, name) is kills
    assert "loginctl enable-linger" in logind.REMEDY


def test_asking_this_system_harms_nothing() -> None:
    assert logind.warning() in (None, logind.REMEDY)
