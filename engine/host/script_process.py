"""A script with a loop of its own, in its own process, which is the host once it attaches. No torch."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from trainconsole.engine.common import signals
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import read_bytes
from trainconsole.engine.config.run import Script
from trainconsole.engine.host.host_log import open_log
from trainconsole.engine.runs import scripts
from trainconsole.engine.runs.launch import Launch, abandon, started_for, unless_begun

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
LARGEST = 64 * 1024 * 1024
UNBLOCKED = (
    "import os, signal, sys; signal.pthread_sigmask(signal.SIG_SETMASK, ());"
    " os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Signals are held back from before a run is made until its process hears them: a script does at once."""
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
"""What a script prints is in host.log at once, as it would be on a terminal."""


def start_detached(launch: Launch, script: Script) -> "subprocess.Popen[bytes]":
    """Start `script` in a session of its own; what it prints goes to host.log. Raises UserError."""
    with unless_begun(launch), signals.held():
        return in_background(launch.path, script, scripts.environment(started_for(launch)))


def in_background(run: Path, script: Script, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start `script` in a session of its own, what it prints in the host.log of `run`. Raises OSError and
    UserError."""
    with open(open_log(run), "ab") as log:
        return subprocess.Popen(
            _command(script),
            cwd=script.cwd,
            env={**environment, **UNBUFFERED},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def run(launch: Launch, script: Script) -> int:
    """Run it in the foreground, this terminal its own; returns its exit code, as a shell has it. A run that
    it did not begin leaves no directory. Raises UserError."""
    environment = scripts.environment(started_for(launch))
    with unless_begun(launch):
        process = subprocess.Popen(_command(script), cwd=script.cwd, env=environment)
    _pass_on(process)
    signals.release()
    code = process.wait()
    abandon(launch)
    return code if code >= 0 else 128 - code


def last_line(run: Path) -> str:
    """The last that a script printed to host.log; "" where that cannot be read."""
    try:
        lines = read_bytes(run / "host.log", LARGEST).decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _command(script: Script) -> tuple[str, ...]:
    """Raises UserError where there is nothing to start."""
    if not script.command:
        raise UserError("how this run was started is not on record: it was no script (a notebook?)")
    if not Path(script.cwd).is_dir():
        raise UserError(f"{script.cwd}, where this run was started, is gone")
    if shutil.which(str(Path(script.cwd) / script.command[0])) is None and not shutil.which(
        script.command[0]
    ):
        raise UserError(f"cannot start {scripts.spelled(script)}: there is no program {script.command[0]}")
    return (sys.executable, "-ISc", UNBLOCKED, *script.command)


def _pass_on(process: "subprocess.Popen[bytes]") -> None:
    """Signals are for the script. What a terminal sends it gets by itself: SIGINT, SIGQUIT, and SIGHUP."""
    leads = os.getpgrp() == os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        from_terminal = number in (signal.SIGINT, signal.SIGQUIT) and leads
        if process.poll() is None and not from_terminal:
            process.send_signal(number)

    for number in PASSED_ON:
        signal.signal(number, handle)
