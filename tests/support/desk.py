"""A host without a run: something for a server to stand before, and sockets that talk to it."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from support.hosting import until
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.transport import unix_socket
from trainconsole.engine.transport.client import Client
from trainconsole.engine.transport.server import Server


class Desk:
    """Something to watch and to command: the status is set by hand, requests are kept."""

    def __init__(self) -> None:
        self.status = Status(pid=os.getpid(), run="desk")
        self.requests: list[Request] = []

    def send(self, request: Request) -> None:
        self.requests.append(request)

    def commands(self) -> list[str]:
        return [request.command for request in self.requests]


@contextmanager
def serving(desk: Desk, folder: Path) -> Iterator[Server]:
    """A server before `desk`; `folder` leaves room for the path of a socket."""
    server = Server(desk, unix_socket.socket_path(Path("desk"), os.getpid(), folder))
    server.open()
    try:
        yield server
    finally:
        server.close()


def talk(server: Server) -> socket.socket:
    raw = socket.socket(socket.AF_UNIX)
    raw.connect(str(server.path))
    raw.settimeout(10)
    return raw


def frame(command: str, name: str = "a") -> bytes:
    return msgspec.json.encode(Request(id=name, origin="test", command=command)) + b"\n"


def next_status(client: Client) -> Status:
    statuses: list[Status] = until(lambda: client.receive(0.5), "status")
    return statuses[-1]
