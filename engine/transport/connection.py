"""One client as the host sees it: requests in, the newest status out, both within bounds. No torch."""

import array
import fcntl
import socket
import termios
import time

import msgspec

from trainconsole.engine.protocol.commands import Request

FRAME = 64 * 1024
"""Bytes of the longest frame."""
LINES = 64
"""Frames looked at in one turn; those left wait for the next."""
LONGEST = 4096
"""Characters of the longest command, id and origin: they are written down."""
TURNS = 4
"""Turns in one tick; a client that wants more waits for the next, however little it says in each."""
STRIKES = 100
"""Turns in a row with nothing but nonsense, after which a client is let go."""
SEND_BUFFER = 8 * 1024
"""Asked of the kernel: a client that is slow reads statuses that are few and fresh."""

_decoder = msgspec.json.Decoder(Request)


class Peer:
    """A connection. Whatever comes over it, no method blocks.

    `deaf_until` is the server's: the monotonic time before which nobody listens to this client. `read_at` is
    when the client was last known to have read all that was shown to it.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.connection = connection
        self.read_at = time.monotonic()
        self.nonsense = False
        self._strikes = self._turns = self._tick = 0
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

    @property
    def has_read(self) -> bool:
        """Whether it has read all that was shown to it; where the system does not tell, all that was sent."""
        if self._out:
            return False
        waiting = array.array("i", [0])
        try:
            fcntl.ioctl(self.connection, termios.TIOCOUTQ, waiting)
        except OSError:
            return True
        return waiting[0] == 0

    def look(self, now: float) -> None:
        """Note whether it has read."""
        if self.has_read:
            self.read_at = now

    def wants_more(self, tick: int) -> bool:
        """Count a turn in `tick`: whether it is time for others, after nonsense or too many turns."""
        self._turns = self._turns + 1 if tick == self._tick else 1
        self._tick = tick
        return self.nonsense or self.has_more or self._turns >= TURNS

    def receive(self) -> list[Request]:
        """What came, at most LINES frames of it; what is no request is passed over, and `nonsense` says so.

        Raises EOFError at the end, after a frame that is too long, and where nonsense does not end.
        """
        self.nonsense = False
        if len(self._in) < FRAME:
            self._fill()
        found = [self._next_request() for _ in range(min(LINES, self._in.count(b"\n")))]
        requests = [request for request in found if request is not None]
        self._strikes = self._strikes + 1 if self.nonsense and not requests else 0
        if self._strikes >= STRIKES or (len(self._in) >= FRAME and not self.has_more):
            raise EOFError
        return requests

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
        self.look(time.monotonic())
        self._next = frame
        if not self._out:
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
