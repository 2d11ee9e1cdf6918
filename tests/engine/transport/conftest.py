"""A server before a desk."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.desk import Desk

from trainconsole.engine.transport import unix_socket
from trainconsole.engine.transport.server import Server


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def server(desk: Desk, short: Path) -> Iterator[Server]:
    opened = Server(desk, unix_socket.socket_path(Path("desk"), os.getpid(), short))
    opened.open()
    yield opened
    opened.close()
