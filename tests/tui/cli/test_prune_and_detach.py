import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.hosting import Hosts, events, newest, until
from support.process import PATIENCE, command, environment, trainconsole

from trainconsole import presets
from trainconsole.engine.config.parsing import override
from trainconsole.engine.host import logind
from trainconsole.engine.host.main import unpacked
from trainconsole.engine.host.spawn import has_ended, packed, start_detached
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.lock import RunLock
from trainconsole.engine.runs.launch import Launch, prepare
from trainconsole.engine.transport import registry, unix_socket
from trainconsole.engine.transport.client import Client


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
        "import sys; from pathlib import Path;"
        "from trainconsole.tui.cli.verbs import live_runs; from trainconsole.tui.state import run_list;"
        "from trainconsole.engine.transport import client, registry;"
        "from trainconsole.engine.host import main, process; run_list.rows(Path('runs'));"
        "print([name for name in ('torch', 'textual') if name in sys.modules])"
    )
    done = subprocess.run(
        [command()[0], "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == "[]\n"


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
        ["config.toml", "events.jsonl", "host.log", "lock", "meta.json", "metrics.bin", "trained_rows.bin"]
        + (["checkpoints"] if (launch.path / "checkpoints").exists() else [])
    )
    os.kill(pid, signal.SIGTERM)
    assert until(lambda: has_ended(pid), "end") == 143
    assert events(launch.path)[-1]["type"] == "interrupted"


def test_a_start_that_fails_tells_the_client_that_waits_for_it(tmp_path: Path) -> None:
    launch = launch_of(tmp_path, "data.name=image_folder", f"data.path={tmp_path / 'nowhere'}")
    pid = start_detached(launch)
    sock = unix_socket.socket_path(launch.path, pid)
    until(sock.exists, "socket")
    with Client(sock) as client:
        until(lambda: (now := newest(client)) and now.error, "reason")
        assert client.latest is not None
        assert "nowhere" in client.latest.error
    assert until(lambda: has_ended(pid), "end") == 2
    assert not launch.path.exists()
    assert not sock.exists()
    assert registry.live() == []


def test_the_terminal_of_its_starter_may_close(hosts: Hosts, tmp_path: Path) -> None:
    """A shell on a pty starts a detached host, then the terminal goes away under it."""
    script = (
        "from pathlib import Path; import time; from test_prune_and_detach import launch_of;"
        "from trainconsole.engine.host.spawn import start_detached;"
        f"print('pid', start_detached(launch_of(Path({str(tmp_path)!r}))), flush=True); time.sleep(600)"
    )
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
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
    assert len(run_directory.read_rows(run)) == events(run)[-1]["step"]


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
