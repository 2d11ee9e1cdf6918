"""Running the real command as a process: every wait is bounded, nothing is left behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 240
"""Seconds after which a process counts as stuck: far above what any needs on a busy machine."""

AS_USER = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]
"""Root ignores mode bits; without these capabilities it does not."""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] in kinds]


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "trainconsole.tui", *args]


def environment(**changes: str) -> dict[str, str]:
    """Ours, without what would change how a terminal program behaves."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES", "TERM")}
    return {**kept, "PYTHONUNBUFFERED": "1", **changes}


def trainconsole(*args: str, cwd: Path, prefix: Sequence[str] = (), **env: str) -> Ended:
    """Run to the end in `cwd`, without a terminal."""
    done = subprocess.run(
        [*prefix, *command(*args)],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def train(*args: str, cwd: Path, **env: str) -> Ended:
    """A headless run with --json in `cwd`/runs, which must end with exit code 0."""
    ended = trainconsole(*args, "--no-ui", "--json", cwd=cwd, **env)
    assert ended.code == 0, ended.err
    return ended


def only_run(cwd: Path) -> Path:
    (run,) = (cwd / "runs").iterdir()
    return run


def start(*args: str, cwd: Path, **options: object) -> "subprocess.Popen[str]":
    """The real command, running, without a terminal; stdout and stderr are pipes unless said otherwise."""
    settings: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        command(*args), cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, text=True, **settings
    )


def wait_for(what: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Until `what()`; fails when the process ends before, or after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline, "stuck"
        time.sleep(0.02)


def rows_there(cwd: Path) -> int:
    """Rows that the only run in `cwd`/runs has written so far."""
    return sum(file.stat().st_size // 40 for file in cwd.glob("runs/*/metrics.bin"))


def end(process: "subprocess.Popen[str]", number: int | None = None) -> tuple[int, str, str]:
    """Send a signal if there is one; exit code, stdout and stderr."""
    if number is not None:
        process.send_signal(number)
    try:
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    return process.returncode, out or "", err or ""
