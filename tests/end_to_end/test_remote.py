"""The console where it is used: in tmux, and over ssh. Both are real, on sockets and ports of their own."""

import getpass
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.emulator import Emulator
from support.hosting import Hosts, until
from support.keyboard_session import session
from support.process import PATIENCE, command, environment

from trainconsole.engine.transport import registry

PASSED_ON = ("XDG_STATE_HOME", "PYTHONPATH")
"""What a shell at the other end would not have, and our test needs: where hosts are listed, and the code."""
SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile {folder}/pid
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""


@pytest.fixture
def left_over(hosts: Hosts) -> Iterator[None]:
    """Hosts that a console has started end with the test."""
    yield
    hosts.pids += [entry.pid for entry in registry.live()]


def program(name: str) -> str:
    """Its path; where it is not installed, the test is skipped."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@dataclass(frozen=True)
class Tmux:
    """A server of its own, without anybody's settings."""

    program: str
    socket: str

    def __call__(self, *words: str) -> list[str]:
        return [self.program, "-S", self.socket, "-f", "/dev/null", "-u", *words]

    def kill(self) -> None:
        subprocess.run(self("kill-server"), capture_output=True, timeout=PATIENCE, check=False)


@pytest.fixture
def tmux(short: Path) -> Iterator[Tmux]:
    server = Tmux(program("tmux"), str(short / "tmux"))
    yield server
    server.kill()


@pytest.mark.slow
@pytest.mark.usefixtures("left_over")
def test_in_tmux(tmux: Tmux, tmp_path: Path) -> None:
    def connect(*args: str, width: int = 120, height: int = 40) -> Emulator:
        argv = tmux("new-session", *command(*args), ";", "set", "status", "off")
        return Emulator(argv=argv, cwd=tmp_path, width=width, height=height)

    session(connect, lambda console: tmux.kill(), tmp_path)


@dataclass(frozen=True)
class Sshd:
    """Listens on the loopback alone, knows one key."""

    client: str
    folder: Path
    port: int

    def __call__(self, *words: str) -> list[str]:
        """ssh to it, with a terminal there, for one command."""
        options = [
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ]
        return [
            *(self.client, "-tt", "-F", "none", "-i", str(self.folder / "user"), "-p", str(self.port)),
            *(word for option in options for word in ("-o", option)),
            *(f"{getpass.getuser()}@127.0.0.1", shlex.join(words)),
        ]


@pytest.fixture
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server that has let us in once; skipped, with its own words, where that is not possible."""
    server, client, keygen = program("sshd"), program("ssh"), program("ssh-keygen")
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        key = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(key, check=True, timeout=PATIENCE)
    made = Sshd(client, folder, free_port())
    (folder / "config").write_text(SSHD.format(port=made.port, folder=folder))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([server, "-D", "-e", "-f", str(folder / "config")], stderr=log)
    try:
        await_it(made, process)
        yield made
    finally:
        process.terminate()
        process.wait(PATIENCE)


def await_it(sshd: Sshd, process: "subprocess.Popen[bytes]") -> None:
    """Until it listens and lets us in."""
    until(lambda: process.poll() is not None or listens(sshd.port), "sshd")
    tried = run_there(sshd, "true") if process.poll() is None else None
    if tried is None or tried.returncode:
        said = (sshd.folder / "log").read_text().strip().splitlines() or ["it says nothing"]
        pytest.skip(f"sshd does not serve us here: {said[-1]}")


def run_there(sshd: Sshd, *words: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        sshd(*words), stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def there(cwd: Path, words: Sequence[str]) -> list[str]:
    """`words` as a command line of a shell that knows nothing of us, in `cwd`."""
    passed = [f"{name}={environment()[name]}" for name in PASSED_ON if name in environment()]
    return ["env", "-C", str(cwd), *passed, *words]


@pytest.mark.slow
@pytest.mark.usefixtures("left_over")
def test_over_ssh(sshd: Sshd, tmp_path: Path) -> None:
    def connect(*args: str, width: int = 120, height: int = 40) -> Emulator:
        argv = sshd(*there(tmp_path, command(*args)))
        return Emulator(argv=argv, cwd=tmp_path, width=width, height=height)

    session(connect, lambda console: console.process.kill(), tmp_path)
