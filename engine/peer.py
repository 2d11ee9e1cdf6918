"""One client as the host sees it: requests in, the newest status out, both within bounds. No torch."""

import socket

import msgspec

from trainconsole.engine.messages import Request

FRAME = 64 * 1024
"""Bytes of the longest frame."""
LINES = 64
"""Frames looked at in one turn; those left wait for the next."""
LONGEST = 4096
"""Characters of the longest command, id and origin: they are written down."""
SEND_BUFFER = 8 * 1024
"""Asked of the kernel: a client that is slow reads statuses that are few and fresh."""

_decoder = msgspec.json.Decoder(Request)


class Peer:
    """A connection. Whatever comes over it, no method blocks.

    `deaf_until` is the server's: the monotonic time before which nobody listens to this client.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.connection = connection
        self.nonsense = False
        self.deaf_until: float | None = None
        self._in = bytearray()
        self._out = memoryview(b"")
        self._next: bytes | None = None

    @property
    def has_more(self) -> bool:
        """Whether frames wait that have come already."""
        return b"\n" in self._in

    @property
    def is_behind(self) -> bool:
        """Whether there is something to send once the client reads."""
        return bool(self._out)

    def receive(self) -> list[Request]:
        """What came, at most LINES frames of it; what is no request is passed over, and `nonsense` says so.

        Raises EOFError at the end, and after a frame that is too long.
        """
        self.nonsense = False
        if len(self._in) < FRAME:
            self._fill()
        requests = [self._next_request() for _ in range(min(LINES, self._in.count(b"\n")))]
        if len(self._in) >= FRAME and not self.has_more:
            raise EOFError
        return [request for request in requests if request is not None]

    def _fill(self) -> None:
        try:
            data = self.connection.recv(FRAME)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data and not self.has_more:
            raise EOFError
        self._in += data

    def _next_request(self) -> Request | None:
        end = self._in.index(b"\n")
        line = bytes(self._in[:end])
        del self._in[: end + 1]
        request = decoded(line)
        self.nonsense = self.nonsense or request is None
        return request

    def show(self, frame: bytes) -> None:
        """Send `frame`; one that is still waiting to be begun is dropped for it."""
        self._next = frame
        self.flush()

    def flush(self) -> None:
        """Send as much as the client takes now. One that has left may have said something first, which
        `receive` still gets, so that is no error here."""
        while self._out or self._next is not None:
            if not self._out and self._next is not None:
                self._out, self._next = memoryview(self._next), None
            try:
                sent = self.connection.send(self._out)
            except BlockingIOError:
                return
            except OSError:
                sent = len(self._out)
            self._out = self._out[sent:]


def decoded(line: bytes) -> Request | None:
    """The request that a frame spells, None where it spells none."""
    if len(line) >= FRAME:
        return None
    try:
        request = _decoder.decode(line)
    # A frame of brackets alone is deeper than the decoder goes; invalid UTF-8 is a ValueError too.
    except (ValueError, RecursionError):
        return None
    longest = max(len(request.command), len(request.id), len(request.origin))
    return request if longest <= LONGEST else None
