"""Hosts as real processes: started in the background, waited for within bounds, killed in the end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from support.process import PATIENCE, command, environment
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.transport import registry
from trainconsole.engine.transport.client import Client


def until(look: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """What `look` returns once that is true; fails after `patience` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"in {patience} s there was no {what}")


class Hosts:
    """Starts headless runs in `cwd` and ends whatever is left of them."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self.pids: list[int] = []
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, *args: str, preset: str = "digits", epochs: int = 2000) -> subprocess.Popen[bytes]:
        """A run that is long enough to be steered; its stderr is in `cwd`/err."""
        return self.spawn(
            *command("--preset", preset, "--no-ui", "--threads", "1", "--set", f"epochs={epochs}", *args)
        )

    def spawn(self, *argv: str, **options: Any) -> subprocess.Popen[bytes]:
        with open(self.cwd / "out", "wb") as out, open(self.cwd / "err", "ab") as err:
            process = subprocess.Popen(
                argv,
                cwd=self.cwd,
                env=environment(),
                **{"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err, **options},
            )
        self._processes.append(process)
        return process

    def training(self, *args: str, **options: Any) -> tuple[subprocess.Popen[bytes], Path]:
        """A run that has done its first steps, and its directory."""
        process = self.start(*args, **options)
        return process, self.trains(process.pid)

    def trains(self, pid: int) -> Path:
        """The directory of the run of process `pid`, once it has done its first steps."""
        entry = until(lambda: next((e for e in registry.live() if e.pid == pid), None), "live host")
        self.pids.append(pid)
        with Client(Path(entry.socket)) as client:
            until(lambda: status_of(client).rows, "step")
        return Path(entry.run)

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for pid in self.pids:
            if any(entry.pid == pid for entry in registry.live()):
                os.kill(pid, signal.SIGKILL)


def newest(client: Client) -> Status | None:
    """The newest status, whether it came just now or earlier."""
    client.receive(0.2)
    return client.latest


def status_of(client: Client) -> Status:
    """The newest status."""
    client.receive(0.2)
    while client.receive(0):
        pass
    return client.latest or Status(pid=0, run="")


def events(run: Path) -> list[dict[str, Any]]:
    """The complete lines of events.jsonl."""
    file = run / "events.jsonl"
    data = file.read_bytes() if file.exists() else b""
    return [msgspec.json.decode(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]
