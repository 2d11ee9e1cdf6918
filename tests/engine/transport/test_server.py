"""The host's socket: what any client may do to it, and that nobody else gets near."""

import os
import socket
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.desk import Desk, next_status
from support.hosting import until

from trainconsole.engine.common import user_dirs
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.transport import unix_socket
from trainconsole.engine.transport.client import Client
from trainconsole.engine.transport.server import Server


def test_directory_and_socket_are_their_users_alone(server: Server) -> None:
    assert stat.S_IMODE(server.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600


def test_the_socket_is_gone_after_the_end(desk: Desk, server: Server) -> None:
    with Client(server.path) as client:
        desk.status = replace(desk.status, stage="finished")
        server.close()
        until(lambda: client.receive(0.2) or client.gone, "end")
        assert client.latest is not None
        assert client.latest.stage == "finished"
        until(lambda: client.receive(0.2) or client.gone, "end")
    assert not server.path.exists()
    with pytest.raises(UserError, match="nobody answers"):
        Client(server.path)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o777])
def test_a_directory_that_others_can_enter_is_refused(tmp_path: Path, desk: Desk, mode: int) -> None:
    folder = user_dirs.sockets(tmp_path)
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(UserError, match=f"mode {mode:o}"):
        Server(desk, folder / "a.sock").open()
    assert list(folder.iterdir()) == []


def test_a_link_in_its_place_is_refused(tmp_path: Path, desk: Desk) -> None:
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    user_dirs.sockets(tmp_path).symlink_to(own)
    with pytest.raises(UserError, match="not a directory"):
        Server(desk, user_dirs.sockets(tmp_path) / "a.sock").open()
    assert list(own.iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a directory of another user's")
def test_another_users_directory_is_refused(tmp_path: Path, desk: Desk) -> None:
    folder = user_dirs.sockets(tmp_path)
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(UserError, match="belongs to user 65534"):
        Server(desk, folder / "a.sock").open()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_cannot_connect(desk: Desk) -> None:
    """In a directory that anybody can reach, so that nothing but ours stands in the way."""
    opened = Server(desk, unix_socket.socket_path(Path("other-user"), os.getpid()))
    opened.open()
    try:
        assert as_nobody(str(opened.path)) == "PermissionError"
        opened.path.parent.chmod(0o755)
        try:
            assert as_nobody(str(opened.path)) == "PermissionError"
        finally:
            opened.path.parent.chmod(0o700)
        assert as_self(str(opened.path)) == "connected"
    finally:
        opened.close()


def as_nobody(path: str) -> str:
    return attempt(path, 65534)


def as_self(path: str) -> str:
    return attempt(path, os.getuid())


def attempt(path: str, user: int) -> str:
    """What a child process of `user` gets when it connects."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        said = "connected"
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            socket.socket(socket.AF_UNIX).connect(path)
        except BaseException as error:
            said = type(error).__name__
        os.write(writes, said.encode())
        os._exit(0)
    os.close(writes)
    os.waitpid(child, 0)
    with open(reads, "rb") as pipe:
        return pipe.read().decode()


def test_a_socket_path_has_room_for_any_name() -> None:
    name = Path("2026-01-01_10-00-00_" + "größe" * 60)
    path = unix_socket.socket_path(name, 2**22)
    assert len(os.fsencode(path)) < 100
    assert path.name.isascii()


def test_the_sockets_of_dead_hosts_are_swept(short: Path) -> None:
    dead, alive = short / "a-999999999.sock", short / f"b-{os.getpid()}.sock"
    for path in (dead, alive):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    unix_socket.sweep(short)
    assert not dead.exists()
    assert alive.exists()


@pytest.mark.parametrize("what", ["socket", "directory", "other"])
def test_a_socket_that_vanishes_is_made_anew(server: Server, what: str) -> None:
    with Client(server.path) as before:
        assert next_status(before).run == "desk"
        server.path.unlink()
        if what == "directory":
            server.path.parent.rmdir()
        if what == "other":
            server.path.write_text("in the way")
        until(server.path.is_socket, "new socket")
        with Client(server.path) as after:
            assert next_status(after).run == "desk"
            before.send("pause", "before")
            after.send("resume", "after")
            until(lambda: len(server._served.requests) == 2, "both commands")  # type: ignore[attr-defined]
