"""The real command in a pseudo-terminal that an emulator (pyte) reads: what a person would see, and typed."""

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
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import pyte

from support.process import PATIENCE, command, environment

KEYS = {"enter": "\r", "escape": "\x1b", "tab": "\t", "up": "\x1b[A", "down": "\x1b[B", "ctrl+p": "\x10"}
UNKNOWN = re.compile(rb"\x1b\[<u|\x1b\[>\d*u|\x1b\[\?\d+\$p")
"""Sequences that the emulator does not know and would print."""
CODES = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[=>78]|\x1b\][^\x07]*\x07")
COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-9]|4[0-9]|9[0-7]|10[0-7])[0-9;]*m")


class Emulator:
    """`argv` on a terminal of its own; reads whenever it is asked for something. Use it in a `with`."""

    def __init__(
        self,
        *args: str,
        cwd: Path,
        width: int = 120,
        height: int = 40,
        argv: Sequence[str] | None = None,
        **env: str,
    ) -> None:
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.sent = b""
        self._master, slave = pty.openpty()
        self._size(width, height)
        self.process = subprocess.Popen(
            argv or command(*args),
            cwd=cwd,
            env=environment(TERM="xterm-256color", **env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.slave = slave

    def __enter__(self) -> "Emulator":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self.hang_up()

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def until(self, seen: str | Callable[[str], bool], patience: float = PATIENCE) -> str:
        """Read until the screen has `seen`; fails, with the screen, after `patience` seconds."""
        done = (lambda text: seen in text) if isinstance(seen, str) else seen
        deadline = time.monotonic() + patience
        while not done(self.text):
            assert time.monotonic() < deadline, f"no {seen!r} on:\n{self.text}"
            if not self.read(0.1) and self.process.poll() is not None:
                assert done(self.text), f"ended without {seen!r} on:\n{self.text}"
        return self.text

    def read(self, timeout: float) -> int:
        """Take what comes within `timeout` seconds; the number of bytes."""
        if self._master < 0 or not select.select([self._master], [], [], timeout)[0]:
            return 0
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return 0
        self.sent += data
        self.stream.feed(UNKNOWN.sub(b"", data))
        return len(data)

    def quiet(self, seconds: float) -> int:
        """Read for `seconds`; the number of bytes that came."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            count += self.read(left)
        return count

    def press(self, *keys: str) -> None:
        for key in keys:
            os.write(self._master, KEYS.get(key, key).encode())

    def resize(self, width: int, height: int) -> None:
        self.screen.resize(height, width)
        self._size(width, height)
        self.process.send_signal(signal.SIGWINCH)

    def end(self) -> int:
        """Read on to the end; the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"does not end:\n{self.text}"
            self.read(0.1)
        while self.read(0.1):
            pass
        return self.process.wait()

    @property
    def echoes(self) -> bool:
        """Whether the terminal is as a shell wants it: echo, lines, signals."""
        wanted = termios.ECHO | termios.ICANON | termios.ISIG
        return bool(termios.tcgetattr(self.slave)[3] & wanted == wanted)

    def hang_up(self) -> None:
        """The terminal goes away."""
        for number in (self._master, self.slave):
            if number >= 0:
                with contextlib.suppress(OSError):
                    os.close(number)
        self._master = self.slave = -1

    def _size(self, width: int, height: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def plain(sent: str) -> str:
    """Without control codes."""
    return CODES.sub("", sent)
