import json
import os
import socket
import threading
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.desk import Desk, frame, next_status, talk
from support.hosting import newest, until

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.transport.client import Client
from trainconsole.engine.transport.connection import FRAME, LONGEST, Peer, decoded
from trainconsole.engine.transport.server import Server

NONSENSE = [
    b"",
    b"hello",
    b"{}",
    b"null",
    b"[1, 2, 3]",
    b"\x00\xff\xfe",
    b'{"id": 1, "origin": "a", "command": "pause"}',
    b'{"id": "a", "origin": "a"}',
    b'{"id": "\xff", "origin": "a", "command": "pause"}',
    b'{"id": "\\ud800", "origin": "a", "command": "pause"}',
    b"[" * 30_000,
    b'{"x":' * 5_000,
    json.dumps({"id": "a", "origin": "b", "command": "x" * (LONGEST + 1)}).encode(),
]


def test_every_client_gets_the_status_at_once_and_again_after_events(desk: Desk, server: Server) -> None:
    clients = [Client(server.path) for _ in range(5)]
    assert [next_status(client).last_seq for client in clients] == [-1] * 5
    desk.status = replace(desk.status, last_seq=7)
    server.wake()
    for client in clients:
        until(lambda c=client: (now := newest(c)) and now.last_seq == 7, "event")
        client.close()


def test_what_is_no_event_is_shown_at_most_ten_times_a_second(desk: Desk, server: Server) -> None:
    with Client(server.path) as client:
        next_status(client)
        frames, began = 0, time.monotonic()
        for step in range(200):
            desk.status = replace(desk.status, step=step)
            server.wake()
            frames += len(client.receive(0.005))
        took = time.monotonic() - began
        assert 1 <= frames <= took / 0.1 + 2
        until(lambda: (now := newest(client)) and now.step == 199, "the last one")


def test_a_client_that_does_not_read_gets_few_and_fresh_ones_and_holds_up_nobody(
    desk: Desk, server: Server
) -> None:
    with Client(server.path) as slow, Client(server.path) as quick:
        for seq in range(3000):
            desk.status = replace(desk.status, last_seq=seq, metric_name="x" * 500)
            server.wake()
            if seq % 50 == 0:
                until(lambda s=seq: (now := newest(quick)) and now.last_seq >= s, "news")
        until(lambda: (now := newest(quick)) and now.last_seq == 2999, "the last one")
        seen = []
        until(lambda: seen.extend(slow.receive(0.5)) or (seen and seen[-1].last_seq == 2999), "the last one")
        assert len(seen) < 200


def test_a_status_longer_than_the_buffers_arrives_whole(desk: Desk, server: Server) -> None:
    desk.status = replace(desk.status, metric_name="y" * 200_000)
    with Client(server.path) as client:
        assert next_status(client).metric_name == "y" * 200_000


def test_why_a_start_failed_is_told_for_a_while(desk: Desk, server: Server) -> None:
    desk.status = replace(desk.status, error="no such data")
    closing = threading.Thread(target=server.close, args=(1.5,))
    closing.start()
    try:
        time.sleep(0.3)
        with Client(server.path) as client:
            assert next_status(client).error == "no such data"
    finally:
        closing.join()
    assert not server.path.exists()


def test_commands_arrive_in_order_however_they_are_cut(desk: Desk, server: Server) -> None:
    wanted = [f"lr {n}" for n in range(300)]
    data = b"".join(frame(command) for command in wanted)
    with talk(server) as raw:
        for start in range(0, len(data), 777):
            raw.sendall(data[start : start + 777])
        until(lambda: len(desk.requests) == 300, "all commands")
    assert desk.commands() == wanted


def test_a_command_counts_though_its_client_is_gone_at_once(desk: Desk, server: Server) -> None:
    with talk(server) as raw:
        raw.sendall(frame("pause") * 200)
    until(lambda: len(desk.requests) == 200, "all commands")


@pytest.mark.parametrize("line", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_passed_over(desk: Desk, server: Server, line: bytes) -> None:
    with talk(server) as raw:
        raw.sendall(line + b"\n" + frame("pause"))
        until(lambda: desk.requests, "command")
    assert desk.commands() == ["pause"]


def test_a_frame_too_long_ends_the_connection(desk: Desk, server: Server) -> None:
    with talk(server) as raw, pytest.raises((BrokenPipeError, ConnectionResetError)):
        raw.sendall(b"x" * FRAME * 100)
    with Client(server.path) as other:
        other.send("pause", "test")
        until(lambda: desk.requests, "command")


def test_clients_that_vanish_or_flood_leave_no_trace(desk: Desk, server: Server) -> None:
    files = len(os.listdir("/dev/fd"))
    for index in range(100):
        raw = talk(server)
        raw.sendall([b"", b'{"id": "a", "ori', b"nonsense\n" * 50, b"\xff" * 1000][index % 4])
        raw.close()
    with Client(server.path) as client:
        client.send("pause", "test")
        until(lambda: desk.requests, "command")
        until(lambda: len(os.listdir("/dev/fd")) <= files + 2, "end of the others")
    assert desk.commands() == ["pause"]


def test_a_flood_does_not_keep_others_from_being_served(desk: Desk, server: Server) -> None:
    over = threading.Event()

    def flood() -> None:
        with talk(server) as raw:
            raw.settimeout(0.2)
            while not over.is_set():
                try:
                    raw.send(b"no\n" * 5000)
                except TimeoutError:
                    continue

    threads = [threading.Thread(target=flood) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with Client(server.path) as client:
            for index in range(20):
                client.send(f"lr {index}", "test")
                until(lambda n=index: len(desk.requests) == n + 1, "command")
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_more_clients_than_there_is_room_for_are_turned_away(desk: Desk, server: Server) -> None:
    raws = [talk(server) for _ in range(70)]
    try:
        until(lambda: any(ended(raw) for raw in raws), "refusal")
        raws[0].sendall(frame("pause"))
        until(lambda: desk.requests, "command")
    finally:
        for raw in raws:
            raw.close()


def ended(raw: socket.socket) -> bool:
    raw.setblocking(False)
    try:
        while raw.recv(65536):
            continue
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@given(st.lists(st.binary(max_size=200), max_size=40), st.integers(1, 300))
@settings(max_examples=100, deadline=None)
def test_no_bytes_whatever_do_more_than_end_a_connection(chunks: list[bytes], cut: int) -> None:
    data = b"\n".join(chunks)
    far, near = socket.socketpair()
    with far, near:
        one = Peer(near)
        for start in range(0, len(data), cut):
            far.sendall(data[start : start + cut])
            one.receive()
        while one.has_more:
            one.receive()
        far.sendall(b"\n" + frame("pause"))
        assert one.receive()[-1].command == "pause"


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_every_request_survives_the_wire(name: str, origin: str, command: str) -> None:
    request = Request(id=name, origin=origin, command=command)
    try:
        line = msgspec.json.encode(request)
    except UnicodeEncodeError:
        return
    assert b"\n" not in line
    assert decoded(line) == request


def test_what_waits_in_memory_is_bounded() -> None:
    far, near = socket.socketpair()
    far.setblocking(False)
    with far, near:
        one = Peer(near)
        with pytest.raises(EOFError):
            pour(far, one)
        assert len(one._in) <= 2 * FRAME


def pour(far: socket.socket, one: Peer) -> None:
    """Endlessly one line."""
    while True:
        far.send(b"x" * 1000)
        one.receive()


def test_a_forked_child_keeps_no_socket(server: Server) -> None:
    with Client(server.path) as client:
        next_status(client)
        child = os.fork()
        if child == 0:
            time.sleep(600)
        try:
            server.close()
            until(lambda: client.receive(0.2) or client.gone, "end")
            with pytest.raises(UserError, match="nobody answers"):
                Client(server.path)
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
