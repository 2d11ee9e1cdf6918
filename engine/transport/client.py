"""The other end of the socket: commands go out, statuses come in, answers stand in the record. No torch."""

import secrets
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeGuard

import msgspec
from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.events import AnyEvent, CommandApplied, CommandRejected
from trainconsole.engine.protocol.status import VERSION, Status
from trainconsole.engine.record.journal import Journal
from trainconsole.engine.transport import registry

PATIENCE = 5.0
"""Seconds to connect, and to get a command off: a host that trains answers in milliseconds."""
LONGEST = 1024 * 1024
"""Bytes without a line's end from something that is no host."""
POLL = 0.05
STANDS = 2.0
"""Seconds after which a host that waits for its disk is left alone: nobody knows for how long it will."""

Answer = CommandApplied | CommandRejected

_decoder = msgspec.json.Decoder(Status)


class NoRoom(UserError):
    """The host has as many clients as it takes."""


class _Versioned(Struct, frozen=True, kw_only=True):
    """What a status of any version says first."""

    version: int


class Client:
    """A connection to a host. Close it, or use it in a `with`."""

    def __init__(self, sock: Path) -> None:
        """Raises UserError where nobody listens at `sock`."""
        self.gone = False
        self.latest: Status | None = None
        self._path = sock
        self._in = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE)
        try:
            _connect(self._socket, sock)
        except OSError as error:
            self._socket.close()
            raise UserError(f"nobody answers at {sock}: {error.strerror or error}") from None

    @property
    def waits(self) -> str:
        """Why the host stands still, "" where it does not: a disk that is full. A start that failed has an
        error too, and never trained."""
        return self.latest.error if self.latest and self.latest.stage == "paused" else ""

    @classmethod
    def of(cls, run: Path) -> "Client":
        """A connection to the host that trains `run`. Raises UserError where there is none."""
        entry = registry.of(run)
        if entry is None:
            raise UserError(f"nobody is training {run.name}; 'trainconsole runs' says how it ended")
        return cls(Path(entry.socket))

    def fileno(self) -> int:
        """For select and event loops: readable means that `receive(0)` has something to do."""
        return self._socket.fileno()

    def send(self, command: str, origin: str) -> str:
        """Ask for `command`, text in the grammar; returns the id that its answer has. Raises UserError."""
        request = requested(command, origin)
        self.put(request)
        return request.id

    def put(self, request: Request) -> None:
        """Send `request`; a host that has shown no status yet may never read it. Raises UserError."""
        try:
            self._socket.settimeout(PATIENCE)
            self._socket.sendall(msgspec.json.encode(request) + b"\n")
        except OSError as error:
            self.receive(0)  # it may have said why
            self.gone = True
            raise UserError(f"the host has left: '{request.command}' was not sent") from error

    def receive(self, timeout: float) -> list[Status]:
        """Statuses that have come, after at most `timeout` seconds. Sets `latest`, at the end `gone`.

        Raises UserError where the host speaks another version of the protocol, NoRoom where it is full.
        """
        if self.gone or not select.select([self._socket], [], [], timeout)[0]:
            return []
        self._fill()
        whole, end, rest = self._in.rpartition(b"\n")
        if not end and len(rest) > LONGEST:
            raise UserError(f"{self._path}: not a trainconsole host")
        self._in = rest
        statuses = [self._decoded(bytes(line)) for line in whole.splitlines()]
        self.latest = statuses[-1] if statuses else self.latest
        return statuses

    def statuses(self, timeout: float) -> Iterator[Status | None]:
        """Every status as it comes, None after `timeout` seconds without one; ends when the host leaves."""
        while not self.gone:
            came = self.receive(timeout)
            yield from came
            if not came and not self.gone:
                yield None

    def close(self) -> None:
        self._socket.close()
        self.gone = True

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fill(self) -> None:
        try:
            data = self._socket.recv(64 * 1024)
        except OSError:
            data = b""
        self.gone = not data
        self._in += data

    def _decoded(self, line: bytes) -> Status:
        try:
            version = msgspec.json.decode(line, type=_Versioned).version
            status = _decoder.decode(line) if version == VERSION else None
        except (ValueError, RecursionError):
            raise UserError(f"{self._path}: not a trainconsole host") from None
        if status is not None and status.refused:
            raise NoRoom(status.refused)
        if status is not None:
            return status
        raise UserError(
            f"{self._path}: this host speaks version {version} of the protocol, and this program {VERSION};"
            " use the trainconsole that started it"
        )


def requested(command: str, origin: str) -> Request:
    """`command` with an id that no other has."""
    return Request(id=f"{origin}-{secrets.token_hex(6)}", origin=origin, command=command)


def _connect(own: socket.socket, sock: Path) -> None:
    """Linux refuses at once (EAGAIN) while too many others wait to be let in: try again for a while."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            own.connect(str(sock))
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(POLL)


def acknowledgement(run: Path, name: str, timeout: float, client: Client | None = None) -> Answer | None:
    """The answer to the request with id `name`, read from the run's record.

    With a `client` it counts once its host has shown it, which is after it is on the disk. None after
    `timeout` seconds, where the host has left without one, or waits for its disk.
    """
    began, journal = time.monotonic(), Journal(run)
    answer: Answer | None = None
    while True:
        left = client is not None and client.gone
        stands = client is not None and client.waits
        deadline = began + (min(timeout, STANDS) if stands else timeout)
        answer = answer or next((event for event in journal.read() if _answers(event, name)), None)
        if answer is not None and (client is None or left or _has_shown(client, answer)):
            return answer
        if left or time.monotonic() >= deadline:
            return None if stands else answer
        if client is not None:
            client.receive(POLL)
        else:
            time.sleep(POLL)


def _answers(event: AnyEvent, name: str) -> TypeGuard[Answer]:
    return isinstance(event, CommandApplied | CommandRejected) and event.id == name


def _has_shown(client: Client, answer: Answer) -> bool:
    return client.latest is not None and client.latest.last_seq >= answer.seq
