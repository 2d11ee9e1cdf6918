"""Which signals a process that trains obeys: whatever a person or a batch system warns with. No torch.

They are held back from before a run directory is made until somebody is there to hear them: none may leave a
directory in which nothing is.
"""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

DEMANDS = ("SIGINT", "SIGTERM", "SIGQUIT")
"""Save and leave; one of them that comes after any other signal: leave now."""
NOTICES = ("SIGUSR1", "SIGUSR2")
"""What a batch system is told to send ahead of the end (Slurm's --signal): the config has a say."""
LIMITS = ("SIGXCPU", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGPWR")
"""Time or power is running out. The system may send these again and again."""


def _there(names: Iterable[str]) -> list[signal.Signals]:
    return [signal.Signals[name] for name in names if name in signal.Signals.__members__]


CODES = {number.name: 128 + number for number in _there((*DEMANDS, *NOTICES, *LIMITS))}
"""Exit codes, as a shell has them."""


def obeyed() -> list[signal.Signals]:
    return _there(CODES)


def hold() -> None:
    """From now on they wait, in this thread, in those that it starts, and in its children, for `release`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [*obeyed(), signal.SIGHUP])


def release() -> None:
    """Those that came meanwhile come now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [*obeyed(), signal.SIGHUP])


@contextmanager
def held() -> Iterator[None]:
    """What is started meanwhile holds them back until it says `release`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [*obeyed(), signal.SIGHUP])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
