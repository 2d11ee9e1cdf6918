"""What is sent while a host has no room goes to it once, as soon as it has."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.desk import Desk, serving
from support.hosting import newest, until

from trainconsole.engine.transport import admission
from trainconsole.engine.transport.client import Client, NoRoom
from trainconsole.tui.state.feed import Feed


class Here(Feed):
    """The feed of a run that is not listed: its host is at `sock`."""

    sock: Path

    def connect(self) -> bool:
        self._client = Client(self.sock)
        return self.live


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def feed(desk: Desk, short: Path) -> Iterator[Here]:
    with serving(desk, short) as server:
        feed = Here(short)
        feed.sock = server.path
        yield feed
        feed.close()


def test_what_is_sent_before_the_host_has_said_anything_waits_for_it(feed: Here, desk: Desk) -> None:
    feed.connect()
    names = [feed.send("pause"), feed.send("resume")]
    until(feed.listen, "status")
    names.append(feed.send("undo"))
    until(lambda: len(desk.requests) == 3, "requests")
    assert [request.id for request in desk.requests] == names
    assert desk.commands() == ["pause", "resume", "undo"]


def test_what_a_full_host_did_not_take_it_gets_once_there_is_room(feed: Here, desk: Desk) -> None:
    feed.connect()
    until(feed.listen, "status")
    feed.close()
    with ExitStack() as stack:
        others = [stack.enter_context(Client(feed.sock)) for _ in range(admission.MOST)]
        for other in others:
            until(lambda one=other: newest(one), "status")
        assert feed.reconnect()
        name = feed.send("pause")
        with pytest.raises(NoRoom, match=f"{admission.MOST} clients"):
            until(lambda: _hears(feed, others), "word")
        assert desk.commands() == []
    until(lambda: _is_let_in(feed), "room")
    until(lambda: desk.requests, "request")
    assert [(one.id, one.command) for one in desk.requests] == [(name, "pause")]


def _hears(feed: Feed, others: list[Client]) -> bool:
    """While the others go on reading, as clients do."""
    for other in others:
        other.receive(0)
    return feed.listen()


def _is_let_in(feed: Here) -> bool:
    feed.reconnect()
    try:
        return bool(until(feed.listen, "word", 1.0))
    except (NoRoom, AssertionError):
        return False
