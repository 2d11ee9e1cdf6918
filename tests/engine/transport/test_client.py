"""The other end of the socket, with hosts that are real, old, foreign or gone."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from support.hosting import Hosts, events, newest, until

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.events import CommandApplied, CommandRejected, Resumed
from trainconsole.engine.protocol.status import VERSION, Status
from trainconsole.engine.record import run_directory
from trainconsole.engine.transport import registry, unix_socket
from trainconsole.engine.transport.client import Client, acknowledgement


@pytest.fixture
def sock(short: Path) -> Path:
    return short / "s"


@pytest.fixture
def listener(sock: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(sock))
        listening.listen()
        yield listening


def says(listener: socket.socket, data: bytes) -> socket.socket:
    connection, _ = listener.accept()
    connection.sendall(data)
    return connection


def test_nobody_there(sock: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nobody answers"):
        Client(sock)
    with pytest.raises(UserError, match="nobody is training"):
        Client.of(tmp_path)


def test_another_version_of_the_protocol(sock: Path, listener: socket.socket) -> None:
    status = {**msgspec.to_builtins(Status(pid=1, run="r")), "version": VERSION + 1, "stage": "flying"}
    with Client(sock) as client, says(listener, msgspec.json.encode(status) + b"\n"):
        with pytest.raises(UserError) as refused:
            client.receive(5)
        assert f"version {VERSION + 1}" in str(refused.value)
        assert f"{VERSION};" in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 200 OK\n", b"{}\n", b"[" * 9999 + b"\n", b"\xff" * 2_000_000],
    ids=["http", "empty", "deep", "endless"],
)
def test_something_that_is_no_host(sock: Path, listener: socket.socket, data: bytes) -> None:
    with Client(sock) as client:
        speaking = threading.Thread(target=lambda: speak(listener, data))
        speaking.start()
        with pytest.raises(UserError, match="not a trainconsole host"):
            list(client.statuses(5))
    speaking.join()


def speak(listener: socket.socket, data: bytes) -> None:
    try:
        says(listener, data).close()
    except OSError:
        return


def test_statuses_come_as_they_come_and_end_with_the_host(sock: Path, listener: socket.socket) -> None:
    first, second = Status(pid=1, run="r", step=1), Status(pid=1, run="r", step=2)
    with Client(sock) as client:
        connection = says(listener, msgspec.json.encode(first) + b"\n" + msgspec.json.encode(second)[:20])
        coming = client.statuses(0.05)
        assert next(coming) == first
        assert next(coming) is None
        connection.sendall(msgspec.json.encode(second)[20:] + b"\n")
        assert until(lambda: next(coming), "the other half") == second
        assert client.latest == second
        connection.close()
        assert [status for status in coming if status] == []
        assert client.gone
        with pytest.raises(UserError, match="the host has left"):
            until(lambda: client.send("pause", "test") and None, "refusal")


def test_an_answer_is_found_by_its_id(tmp_path: Path) -> None:
    recorder = run_directory.Recorder(tmp_path)
    for name in ("a", "b"):
        recorder.write_event(CommandApplied(step=1, branch=0, command="pause", id=name, origin="test"))
    recorder.write_event(Resumed(step=1, branch=0, why="x"))
    recorder.write_event(
        CommandRejected(step=2, branch=0, command="pause", id="c", origin="test", reason="already")
    )
    recorder.close()
    found = acknowledgement(tmp_path, "b", 0)
    assert isinstance(found, CommandApplied)
    assert found.seq == 1
    assert isinstance(acknowledgement(tmp_path, "c", 0), CommandRejected)
    assert acknowledgement(tmp_path, "d", 0.1) is None


def test_no_answer_comes_from_a_host_that_has_left(
    tmp_path: Path, sock: Path, listener: socket.socket
) -> None:
    with Client(sock) as client:
        says(listener, b"").close()
        began = time.monotonic()
        assert acknowledgement(tmp_path, "a", 200, client) is None
        assert time.monotonic() - began < 100


def test_many_watch_and_any_may_command(hosts: Hosts) -> None:
    process, run = hosts.training()
    clients = [Client.of(run) for _ in range(8)]
    names = [
        client.send(f"set dropout 0.{index + 1}", f"client{index}") for index, client in enumerate(clients)
    ]
    for client, name in zip(clients, names, strict=True):
        answer = acknowledgement(run, name, 120, client)
        assert isinstance(answer, CommandApplied)
        assert answer.origin == name.rpartition("-")[0]
        assert run_directory.read_rows(run)["step"][-1] >= answer.step
    last_seq = events(run)[-1]["seq"]
    for client in clients:
        until(lambda c=client: (now := newest(c)) and now.last_seq >= last_seq, "status")
        assert client.latest is not None
        assert client.latest.pid == process.pid
    name = clients[0].send("stop", "test")
    assert isinstance(acknowledgement(run, name, 120, clients[0]), CommandApplied)
    for client in clients:
        until(lambda c=client: c.receive(0.2) is None or c.gone, "end")
        assert client.latest is not None
        assert client.latest.stage == "finished"
        client.close()
    assert process.wait(120) == 0
    assert registry.live() == []


def test_a_host_answers_while_it_still_loads(hosts: Hosts) -> None:
    process = hosts.start("--set", "epochs=1")
    runs = hosts.cwd / "runs"
    run = until(lambda: next(iter(run_directory.listing(runs)), None), "run directory")
    sock = unix_socket.socket_path(run, process.pid)
    until(sock.exists, "socket")
    with Client(sock) as client:
        assert until(lambda: client.receive(1), "status")[0].stage in ("starting", "loading torch")
        assert not (run / "events.jsonl").exists()
        name = client.send("lr x0.5", "test")
        answer = acknowledgement(run, name, 200, client)
    assert isinstance(answer, CommandApplied)
    assert process.wait(200) == 0


def test_garbage_and_vanishing_clients_change_nothing_in_a_run(hosts: Hosts) -> None:
    """The same run, once left alone and once pestered, ends with the same weights."""
    digests = []
    for pestered in (False, True):
        process = hosts.start(epochs=12)
        if pestered:
            assert pester(unix_socket.socket_path(hosts.trains(process.pid), process.pid)) > 50
        assert process.wait(200) == 0
        run = run_directory.listing(hosts.cwd / "runs")[-1]
        assert "command_rejected" not in [event["type"] for event in events(run)]
        digests.append(events(run)[-1]["weights_sha256"])
    assert digests[0] == digests[1]


def pester(sock: Path) -> int:
    """While there is a host: connect, talk nonsense, vanish in the middle of it. Returns how often."""
    heard = 0
    for index in range(200):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(5)
            try:
                raw.connect(str(sock))
                raw.sendall([b"{}\n" * 20, b'{"id": "a", "orig', b"\xff" * 5000, b"x" * 70_000][index % 4])
            except OSError:
                continue
        heard += 1
    return heard


def test_a_status_is_one_line_of_json(hosts: Hosts) -> None:
    _, run = hosts.training()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(30)
        raw.connect(until(lambda: registry.of(run), "host").socket)
        data = b""
        while b"\n" not in data:
            data += raw.recv(65536)
    status = msgspec.json.decode(data.split(b"\n")[0])
    assert status["version"] == VERSION
    assert status["run"] == run.name
    assert status["epochs"] == 2000
