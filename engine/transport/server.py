"""The host's socket: takes requests and shows the status, and training never waits for it. No torch."""

import contextlib
import logging
import selectors
import socket
import threading
import time
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import as_json
from trainconsole.engine.common.fork_safety import keep_from_children
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.transport import admission, unix_socket
from trainconsole.engine.transport.connection import Peer

SHOW_EVERY = 0.25
"""Seconds between two pushes of a status that is no event's."""
CHECK_EVERY = 1.0
"""Seconds between two looks at whether the socket is still there."""
TICK = 0.1
"""Seconds, at most, for which a client is not listened to after nonsense, or after more than one turn takes,
and nobody is let in after many: each turn takes the interpreter from the training thread. It ends for all at
once, so that one turn serves all who wait."""
BREATH = 0.02
"""Seconds between two tries to hand out the last status."""
GOODBYE = 0.2
"""Seconds that clients get to take the last status."""

log = logging.getLogger("trainconsole")


class Served(Protocol):
    """What clients watch and command."""

    @property
    def status(self) -> Status: ...

    def send(self, request: Request) -> None: ...


class Server:
    """Listens from `open` to `close`. `wake` makes it look at the status at once."""

    def __init__(self, served: Served, path: Path) -> None:
        self.path = path
        self._served = served
        self._peers: dict[int, Peer] = {}
        self._listener: socket.socket | None = None
        self._identity: tuple[int, int] | None = None
        self._shown: Status | None = None
        self._shown_at = self._checked_at = 0.0
        self._ends_at: float | None = None
        self._thread: threading.Thread | None = None
        self._selector = selectors.DefaultSelector()
        self._wakes, self._bell = socket.socketpair()
        self._is_lost = False
        self._closed_until: float | None = None
        self._tick = self._let_in = 0

    def open(self) -> None:
        """Make the socket and begin to serve. Raises UserError where its place is not safe."""
        self._listen()
        unix_socket.sweep(self.path.parent)
        self._wakes.setblocking(False)
        self._bell.setblocking(False)
        self._selector.register(self._wakes, selectors.EVENT_READ)
        keep_from_children(self)
        self._thread = threading.Thread(target=self._serve, name="socket", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is an event. From any thread; costs one system call."""
        # A full pipe wakes as well; after the end there is nobody to wake.
        with contextlib.suppress(OSError):
            self._bell.send(b".")

    def close(self, linger: float = 0.0) -> None:
        """Show the last status, for `linger` seconds also to clients that come now, and remove the socket."""
        if self._thread is not None:
            self._ends_at = time.monotonic() + linger
            self.wake()
            self._thread.join(linger + 10 * GOODBYE)
            self._thread = None

    def abandon(self) -> None:
        """In a forked child: close all files."""
        for one in [self._listener, self._wakes, self._bell, *(p.connection for p in self._peers.values())]:
            if one is not None:
                one.close()
        self._selector.close()

    # --- the thread ---

    def _serve(self) -> None:
        while self._ends_at is None or time.monotonic() < self._ends_at:
            self._turn()
        self._show(self._served.status)
        until = time.monotonic() + GOODBYE
        while any(peer.is_behind for peer in self._peers.values()) and time.monotonic() < until:
            self._turn()
            time.sleep(BREATH)
        self._leave()

    def _turn(self) -> None:
        """Wait for something to do and do a bounded part of it."""
        ready = self._selector.select(self._patience())
        # Who has left makes room before others are let in.
        for key, events in sorted(ready, key=lambda one: one[0].fileobj is self._listener):
            if key.fileobj is self._wakes:
                self._wakes.recv(4096)
            elif key.fileobj is self._listener:
                self._welcome()
            else:
                self._attend(key.fd, events)
        now = time.monotonic()
        for fd, peer in list(self._peers.items()):
            if peer.deaf_until is not None and now >= peer.deaf_until:
                peer.deaf_until = None
                self._attend(fd, selectors.EVENT_READ)
        if self._closed_until is not None and now >= self._closed_until:
            self._open_door()
        self._show_news()
        if time.monotonic() - self._checked_at >= CHECK_EVERY:
            self._check()

    def _patience(self) -> float:
        """Seconds to wait for news: until the next push, the next muted client's turn, or the end."""
        now = time.monotonic()
        wait = CHECK_EVERY
        if self._peers:
            due = self._shown_at + SHOW_EVERY - now
            wait = due if due > 0 else SHOW_EVERY
        times = [peer.deaf_until for peer in self._peers.values()] + [self._closed_until, self._ends_at]
        return max(0.0, min([wait, *(until - now for until in times if until is not None)]))

    def _welcome(self) -> None:
        """Take in some clients; the others wait outside for the next tick."""
        assert self._listener is not None
        if (tick := int(time.monotonic() / TICK)) != self._tick:
            self._tick, self._let_in = tick, 0
        while self._let_in < admission.AT_ONCE and self._makes_room():
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:
                break  # no files left: it would fail again at once
            self._let_in += 1
            self._take_in(Peer(connection))
        self._close_door()

    def _makes_room(self) -> bool:
        """Whether a client can be let in, if only to be told that there is no room."""
        peers = self._peers.values()
        if not admission.is_full(peers):
            return True
        leaving = admission.makes_room(peers, time.monotonic())
        if leaving is not None:
            self._drop(leaving.connection.fileno(), leaving)
        return leaving is not None or admission.all_listen(peers)

    def _take_in(self, peer: Peer) -> None:
        status = self._served.status
        if admission.is_full(self._peers.values()):
            peer.show(_frame(replace(status, refused=admission.FULL)))
            peer.connection.close()
            return
        fd = peer.connection.fileno()
        self._peers[fd] = peer
        peer.show(_frame(status))
        self._tune(fd, peer)

    def _close_door(self) -> None:
        self._closed_until = _next_tick()
        if self._listener is not None:
            self._selector.unregister(self._listener)

    def _open_door(self) -> None:
        self._closed_until = None
        if self._listener is not None:
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _attend(self, fd: int, events: int) -> None:
        """Take what a client says, give it what it has not got yet."""
        peer = self._peers.get(fd)
        if peer is None:
            return
        try:
            if events & selectors.EVENT_READ:
                for request in peer.receive():
                    self._served.send(request)
                if peer.wants_more(int(time.monotonic() / TICK)):
                    peer.deaf_until = _next_tick()
            if events & selectors.EVENT_WRITE:
                peer.flush()
            self._tune(fd, peer)
        except EOFError:
            self._drop(fd, peer)

    def _tune(self, fd: int, peer: Peer) -> None:
        """Ask the selector for what this client is waited for now."""
        wanted = 0 if peer.deaf_until else selectors.EVENT_READ
        wanted |= selectors.EVENT_WRITE if peer.is_behind else 0
        known = self._selector.get_map().get(fd)
        if known is None and wanted:
            self._selector.register(fd, wanted)
        elif known is not None and not wanted:
            self._selector.unregister(fd)
        elif known is not None and known.events != wanted:
            self._selector.modify(fd, wanted)

    def _drop(self, fd: int, peer: Peer) -> None:
        del self._peers[fd]
        if fd in self._selector.get_map():
            self._selector.unregister(fd)
        peer.connection.close()

    # --- the status ---

    def _show_news(self) -> None:
        """At once what an event changed, otherwise at most ten times a second."""
        status, shown = self._served.status, self._shown
        if status is shown:
            return
        at_once = shown is None or (status.last_seq, status.error) != (shown.last_seq, shown.error)
        if at_once or time.monotonic() - self._shown_at >= SHOW_EVERY:
            self._show(status)

    def _show(self, status: Status) -> None:
        self._shown, self._shown_at = status, time.monotonic()
        frame = _frame(status)
        for fd, peer in list(self._peers.items()):
            peer.show(frame)
            self._tune(fd, peer)

    # --- the socket ---

    def _listen(self) -> None:
        fresh = unix_socket.listen(self.path)
        if self._listener is not None:
            if self._closed_until is None:
                self._selector.unregister(self._listener)
            self._listener.close()
        self._listener, self._identity = fresh, unix_socket.identity(self.path)
        self._closed_until = None
        self._selector.register(fresh, selectors.EVENT_READ)
        self._checked_at = time.monotonic()

    def _check(self) -> None:
        """Make the socket anew where it has vanished: cleaners of /tmp do that; let go who does not read."""
        self._checked_at = time.monotonic()
        for peer in admission.stuck(self._peers.values(), self._checked_at):
            self._drop(peer.connection.fileno(), peer)
        if unix_socket.identity(self.path) != self._identity:
            try:
                self._listen()
                self._is_lost = False
            except UserError as error:
                if not self._is_lost:
                    log.warning("the socket has vanished: %s", error)
                self._is_lost = True

    def _leave(self) -> None:
        if unix_socket.identity(self.path) == self._identity:
            self.path.unlink(missing_ok=True)
        self.abandon()


def _next_tick() -> float:
    return (time.monotonic() // TICK + 1) * TICK


def _frame(status: Status) -> bytes:
    return as_json(status) + b"\n"
