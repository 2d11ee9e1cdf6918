"""Who is connected to a host does not keep others out, and does not take its time."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from support.desk import Desk, talk
from support.hosting import Hosts, newest, until
from support.process import trainconsole

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.transport import admission, registry
from trainconsole.engine.transport.client import Client
from trainconsole.engine.transport.connection import STRIKES, TURNS, Peer
from trainconsole.engine.transport.server import TICK, Server


def silent(server: Server, stack: ExitStack, number: int) -> list[socket.socket]:
    """Connections over which nobody ever says or reads anything."""
    return [stack.enter_context(talk(server)) for _ in range(number)]


def ended(raw: socket.socket) -> bool:
    """Whether the other end is closed, without reading what it sent."""
    poll = select.poll()
    poll.register(raw, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


# --- room ---


@pytest.mark.parametrize("number", [admission.MOST, 500])
def test_those_that_do_not_read_make_room(desk: Desk, server: Server, number: int) -> None:
    with ExitStack() as stack:
        silent(server, stack, number)
        with Client(server.path) as client:
            client.send("pause", "test")
            until(lambda: newest(client) is not None, "status")
            until(lambda: desk.requests, "command")


def test_one_that_listens_stays_whoever_comes(desk: Desk, server: Server) -> None:
    """Also while nothing happens that it could be shown."""
    with ExitStack() as stack, Client(server.path) as client:
        stack.enter_context(busy(lambda: client.receive(0.01)))
        raws = silent(server, stack, 3 * admission.MOST)
        until(lambda: ended(raws[0]), "room made by the first")
        until(lambda: server_has(server, raws[-1]), "admission of the last")
        assert not client.gone
        client.send("pause", "test")
        until(lambda: desk.requests, "command")


def server_has(server: Server, raw: socket.socket) -> bool:
    raw.setblocking(False)
    try:
        return bool(raw.recv(65536, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def test_where_all_listen_another_one_is_told(server: Server) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(server.path)) for _ in range(admission.MOST)]
        for client in clients:
            until(lambda c=client: newest(c) is not None, "status")
        with Client(server.path) as late, pytest.raises(UserError, match=f"{admission.MOST} clients"):
            until(lambda: hears(late, clients), "word")
        assert not any(client.gone for client in clients)
        clients[0].close()
        until(lambda: gets_in(server), "room")


def hears(client: Client, others: list[Client]) -> bool:
    """Whether there is word for `client`, while `others` go on reading, as clients do."""
    for other in others:
        other.receive(0)
    return bool(client.receive(0.05))


def gets_in(server: Server) -> bool:
    with Client(server.path) as client:
        try:
            return newest(client) is not None
        except UserError:
            return False


def test_one_that_does_not_read_is_let_go(
    desk: Desk, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "STUCK", 0.5)
    with Client(server.path) as client, talk(server) as mute:
        until(lambda: newest(client) is not None, "status")
        until(lambda: newest(client) and ended(mute), "end")
        time.sleep(1.0)
        assert newest(client) is not None
        assert not client.gone


def test_nonsense_without_end_ends_the_connection(desk: Desk, server: Server) -> None:
    with talk(server) as raw, suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(20 * STRIKES):
            raw.sendall(b"nonsense\n" * 100)
        pytest.fail("nobody minded")


# --- time ---


@contextmanager
def busy(work: Callable[[], None]) -> Iterator[None]:
    """`work` again and again, in a thread of its own."""
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            work()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def counted(monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> list[float]:
    """When the method `name` is called."""
    calls: list[float] = []
    original = getattr(kind, name)

    def call(*args: object) -> object:
        calls.append(time.monotonic())
        return original(*args)

    monkeypatch.setattr(kind, name, call)
    return calls


def busiest(calls: list[float]) -> int:
    """The most calls in one tick."""
    ticks = [int(at / TICK) for at in calls]
    return max(ticks.count(tick) for tick in set(ticks))


def test_bytes_that_come_singly_take_few_turns(
    desk: Desk, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = counted(monkeypatch, Peer, "receive")
    with talk(server) as raw, busy(lambda: raw.send(b"x") and time.sleep(1e-4)):
        until(lambda: len(turns) > 5 * TURNS, "turns")
    assert busiest(turns) <= TURNS + 1


def test_connections_that_come_and_go_are_let_in_a_few_at_a_time(
    desk: Desk, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = counted(monkeypatch, Server, "_take_in")
    with busy(lambda: talk(server).close()), Client(server.path) as client:
        until(lambda: len(taken) > 5 * admission.AT_ONCE, "connections")
        client.send("pause", "test")
        until(lambda: desk.requests, "command")
    assert busiest(taken) <= 2 * admission.AT_ONCE


# --- a real host ---


def test_a_command_is_answered_among_500_that_never_read(tmp_path: Path, hosts: Hosts) -> None:
    _, run = hosts.training()
    entry = registry.of(run)
    assert entry is not None
    with ExitStack() as stack:
        for _ in range(500):
            raw = stack.enter_context(socket.socket(socket.AF_UNIX))
            raw.settimeout(30)
            raw.connect(entry.socket)
        applied = trainconsole("ctl", str(run), "lr", "0.01", cwd=tmp_path)
    assert (applied.code, applied.out[:7]) == (0, "applied"), applied.err
    assert trainconsole("stop", str(run), cwd=tmp_path).code == 0
