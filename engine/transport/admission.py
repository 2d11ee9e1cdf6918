"""Who may stay connected to a host: a bounded number, and those that read what is shown to them. No torch."""

from collections.abc import Collection

from trainconsole.engine.transport.connection import Peer

MOST = 64
"""Clients at once."""
AT_ONCE = 16
"""Clients that are let in before the others wait for the next tick: each takes the interpreter from the
training thread."""
YOUNG = 0.5
"""Seconds in which a client that has read nothing is not yet asked to make room."""
STUCK = 30.0
"""Seconds after which one that does not read is let go, whether or not there is room."""
FULL = f"{MOST} clients are connected to this run, there is no room for another\nClose some of them."


def is_full(peers: Collection[Peer]) -> bool:
    return len(peers) >= MOST


def makes_room(peers: Collection[Peer], now: float) -> Peer | None:
    """The one that has not read for longest, if that is longer than YOUNG; None: nobody has to go yet."""
    _look(peers, now)
    longest = min(peers, key=lambda peer: peer.read_at, default=None)
    return longest if longest is not None and now - longest.read_at > YOUNG else None


def all_listen(peers: Collection[Peer]) -> bool:
    """Whether nobody will have to make room soon: each has read all that it was shown."""
    return all(peer.has_read for peer in peers)


def stuck(peers: Collection[Peer], now: float) -> list[Peer]:
    """Those that have not read for so long that they are let go."""
    _look(peers, now)
    return [peer for peer in peers if now - peer.read_at > STUCK]


def _look(peers: Collection[Peer], now: float) -> None:
    for peer in peers:
        peer.look(now)
