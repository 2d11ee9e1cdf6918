"""What a forked child must not keep: it lets go of locks and sockets as it begins. No torch.

A child that goes on without exec (a DataLoader worker) shares open files with its parent: a lock would
outlive its owner, and a client would never learn that the host is gone.
"""

import os
import weakref
from typing import Protocol


class Shared(Protocol):
    """Something with open files of its own."""

    def abandon(self) -> None:
        """Close the files in this process alone; what the parent does with them is not touched."""


_open: "weakref.WeakSet[Shared]" = weakref.WeakSet()


def keep_from_children(thing: Shared) -> None:
    """From now on children that are forked call `thing.abandon()` first."""
    _open.add(thing)


def _after_fork() -> None:
    for thing in list(_open):
        thing.abandon()


os.register_at_fork(after_in_child=_after_fork)
