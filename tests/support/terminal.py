"""A terminal of a fixed size in which the real command runs: what was sent to it, and what is left on it."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from support.process import PATIENCE, command, environment

CODES = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[=>78]|\x1b\][^\x07]*\x07")
COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-9]|4[0-9]|9[0-7]|10[0-7])[0-9;]*m")


class Terminal:
    """`trainconsole *args` with this terminal as its stdin, stdout and stderr."""

    def __init__(self, *args: str, cwd: Path, width: int = 80, height: int = 24, **env: str) -> None:
        self.width, self.sent = width, ""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

        def own_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command(*args),
            cwd=cwd,
            env=environment(TERM="xterm-256color", **env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=own_terminal,
        )
        os.close(slave)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self.hang_up()

    def read_until(self, done: Callable[[str], bool]) -> str:
        """Read until `done(all that was sent)`, or the other end is closed."""
        deadline = time.monotonic() + PATIENCE
        while not done(self.sent):
            assert time.monotonic() < deadline, f"stuck at: {self.sent[-500:]}"
            if not select.select([self._master], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:
                break
            self.sent += data.decode(errors="replace")
        return self.sent

    def end(self) -> int:
        """Read on to the end; the exit code."""
        self.read_until(lambda sent: self.process.poll() is not None and not self._pending())
        return self.process.wait(PATIENCE)

    def _pending(self) -> bool:
        return bool(select.select([self._master], [], [], 0.2)[0])

    def hang_up(self) -> None:
        """The terminal goes away: its session gets SIGHUP, writing to it fails."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def press_ctrl_c(self) -> None:
        os.write(self._master, b"\x03")

    @property
    def left(self) -> list[str]:
        """The lines that stand on the screen now, all that scrolled off it included."""
        return screen(self.sent, self.width)


def screen(sent: str, width: int) -> list[str]:
    """Lines after `sent`, on a terminal `width` wide and as high as needed."""
    lines, row, column, at = [""], 0, 0, 0
    while at < len(sent):
        if code := CODES.match(sent, at):
            at = code.end()
            count = int(code[1]) if code[1] and code[1].isdecimal() else 1
            if code[2] == "A":
                row = max(0, row - count)
            elif code[2] == "B":
                row += count
            elif code[2] == "K":
                lines[row] = "" if code[1] == "2" else lines[row][:column]
            elif code[2] == "J":
                lines = [*lines[:row], lines[row][:column]]
            continue
        char, at = sent[at], at + 1
        if char == "\r":
            column = 0
        elif char == "\n":
            row += 1
        elif char >= " ":
            if column == width:
                row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
            lines[row] = f"{lines[row][:column]:<{column}}{char}{lines[row][column + 1 :]}"
            column += 1
        lines += [""] * (row + 1 - len(lines))
    return [line.rstrip() for line in lines]


def plain(sent: str) -> str:
    """Without control codes."""
    return CODES.sub("", sent)


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
