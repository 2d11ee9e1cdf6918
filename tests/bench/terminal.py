"""A terminal of 120 by 40 whose bytes are read as they come, by a thread, and kept with their times."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from trainconsole.tui.cli.start import PACE

WIDTH, HEIGHT = 120, 40
PATIENCE = 120.0
"""Seconds after which nothing is waited for any longer."""


class Chunk(NamedTuple):
    """Bytes that were read at once; `at` in seconds since 1970."""

    at: float
    data: bytes


class Terminal:
    """`argv` on a terminal of its own, for a `with`; killed in the end."""

    def __init__(self, argv: Sequence[str], cwd: Path) -> None:
        self.chunks: list[Chunk] = []
        self._master, slave = pty.openpty()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self.began = time.time()
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment(),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join()
        os.close(self._master)

    def press(self, key: str) -> float:
        """Returns when it was pressed, in seconds since 1970."""
        now = time.time()
        os.write(self._master, key.encode())
        return now

    @property
    def count(self) -> int:
        """Bytes so far."""
        return sum(len(chunk.data) for chunk in list(self.chunks))

    def until(self, text: str, since: int = 0) -> float:
        """When `text` was there, in seconds since 1970: sent in one piece after the first `since` chunks."""
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while True:
                seen = b""
                for chunk in self.chunks[since:]:
                    seen += chunk.data
                    if text.encode() in seen:
                        return chunk.at
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(f"no {text!r} in:\n{seen[-2000:].decode(errors='replace')}")
                self._news.wait(0.2)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            with self._news:
                self.chunks.append(Chunk(time.time(), data))
                self._news.notify()


def environment() -> dict[str, str]:
    """Ours, without what changes how a terminal program behaves, and with what the console sets before it
    imports Textual. Modules are compiled once and kept, as those of an installed package are."""
    unwanted = ("NO_COLOR", "COLUMNS", "LINES", "TERM", "COLORTERM", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "TERM": "xterm-256color", "TEXTUAL_FPS": str(PACE)}


def ours(*args: str) -> list[str]:
    """The command line of the console."""
    return [sys.executable, "-m", "trainconsole.tui", *args]


def processor_time(pid: int) -> float:
    """Seconds of all threads of a process, to the nanosecond. Linux alone tells them."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
