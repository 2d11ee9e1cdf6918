"""What a session tells of its loop to whoever verifies it. This one does not."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from trainconsole.engine.boundary.boundary import Boundary
from trainconsole.engine.boundary.command_queue import Inbox
from trainconsole.engine.own_loop.data_order import Order
from trainconsole.engine.own_loop.loop import OwnLoop
from trainconsole.engine.own_loop.numbers import Number, Update
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.rewind.rewind import Travel


class Opened(NamedTuple):
    """What there is from the first boundary on."""

    boundary: Boundary[Update]
    travel: Travel
    report: Reporter
    inbox: Inbox


def no_more_data(loop: OwnLoop) -> bool:
    """At the end of a pass over the data: whether it cannot go on in the next, and back from there."""
    return not loop.has_epochs or (loop.total is not None and loop.epochs_done + 1 >= loop.total)


class Verifier:
    """Called by the thread that trains; `is_done` says that the process is to end."""

    is_done = False

    def begin(self, opened: Opened) -> None:
        """The record is open."""

    def reads(self, source: Any, order: Order) -> None:
        """The script iterates over `source`."""

    def gives(self, batch: Any) -> None:
        """The script is given `batch`."""

    def measured(self, numbers: Mapping[str, float]) -> None:
        """The script has evaluated."""

    def updated(self, logged: Mapping[str, list[Number]]) -> None:
        """An update was made."""

    def before(self) -> None:
        """A boundary is about to be served: commands may be put into the inbox."""

    def after(self) -> None:
        """It was served."""

    def data_end(self) -> bool:
        """The last batch of all was given: whether the boundary after it is to be served once more."""
        return False

    def left(self) -> None:
        """The script has left its loop."""

    def leave(self) -> None:
        """The record is closed."""
