"""The process that spawn.py starts: a host in a session of its own, its launch read from a pipe."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from trainconsole.engine.common.escapes import message
from trainconsole.engine.host.host import Host
from trainconsole.engine.host.process import handle_signals, leave
from trainconsole.engine.runs.launch import Launch

LINGER = 1.0
"""Seconds that a start that failed waits for the client that waits for it."""


def unpacked(data: bytes) -> Launch:
    return msgspec.json.decode(data, type=Launch, dec_hook=_path)


def _path(kind: type[Any], value: Any) -> Path:
    assert kind is Path
    return Path(value)


def main() -> NoReturn:
    """Train what stdin says."""
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
        with contextlib.suppress(OSError):
            print(message(f"trainconsole: {host.outcome.error}"), file=sys.stderr)
    host.close(LINGER)
    leave(host.outcome.code if host.outcome is not None else 1)


if __name__ == "__main__":
    main()
