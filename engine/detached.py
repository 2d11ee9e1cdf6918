"""A host in a process and a session of its own, which no hang-up reaches.

The launch goes through a pipe: nothing of it is left behind, in a file or in the list of processes.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from trainconsole.engine.host import Host
from trainconsole.engine.launch import Launch
from trainconsole.engine.process import handle_signals, leave

LINGER = 1.0
"""Seconds that a start that failed waits for the client that waits for it."""

_started: list["subprocess.Popen[bytes]"] = []


def start_detached(launch: Launch) -> int:
    """Start the host of `launch`; returns its process id at once. Raises OSError.

    It listens at `address.socket_path(launch.path, pid)` a moment later; `has_ended` says whether there is
    still somebody to wait for. What it prints goes to host.log.
    """
    with open(launch.path / "host.log", "ab") as log:
        # -P: a file of the user's that is called random.py stands in nobody's way.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "trainconsole.engine.detached", str(launch.path)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # Kept, so that Python does not complain of a process that is meant to go on.
    _started.append(process)
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(packed(launch))
    return process.pid


def has_ended(pid: int) -> int | None:
    """The exit code of a host that this process has started, None while it goes on."""
    return next((process.poll() for process in _started if process.pid == pid), None)


def packed(launch: Launch) -> bytes:
    return msgspec.json.encode(launch, enc_hook=str)


def unpacked(data: bytes) -> Launch:
    return msgspec.json.decode(data, type=Launch, dec_hook=_path)


def _path(kind: type[Any], value: Any) -> Path:
    assert kind is Path
    return Path(value)


def main() -> NoReturn:
    """The process that `start_detached` starts."""
    launch = unpacked(sys.stdin.buffer.read())
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    host = Host(launch)
    handle_signals(host)
    host.start()
    while host.outbox.get() is not None:
        pass
    if host.outcome is not None and host.outcome.error:
        print(f"trainconsole: {host.outcome.error}", file=sys.stderr)
    host.close(LINGER)
    leave(host.outcome.code if host.outcome is not None else 1)


if __name__ == "__main__":
    main()
