"""Loading processes end with the one that trains, however it ends and whatever they are doing. No torch."""

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In a child: be killed when the thread that started it ends (Linux), be it by kill -9."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def kill_children() -> None:
    """End what multiprocessing has started here. For the moment before the end of the process."""
    multiprocessing = sys.modules.get("multiprocessing")
    with contextlib.suppress(Exception):
        for child in multiprocessing.active_children() if multiprocessing else ():
            if child.pid is not None:
                os.kill(child.pid, signal.SIGKILL)
