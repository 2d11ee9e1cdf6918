"""A server before a desk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.desk import Desk, serving

from trainconsole.engine.transport.server import Server


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def server(desk: Desk, short: Path) -> Iterator[Server]:
    with serving(desk, short) as server:
        yield server
