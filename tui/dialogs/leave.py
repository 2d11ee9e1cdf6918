"""Quit: leave the run training, or stop it."""

from typing import ClassVar, Literal

from textual.binding import Binding, BindingType

from trainconsole.engine.protocol.status import Status
from trainconsole.tui.dialogs.option_dialog import Few, Offer
from trainconsole.tui.text.format import seconds

Leaving = Literal["detach", "stop", ""]


class LeaveScreen(Few[Leaving]):
    """Dismissed with how to leave, "" for not at all. Ctrl-C, a second time, leaves it training."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "detach", show=False, priority=True)]

    def __init__(self, status: Status) -> None:
        left = "" if status.time_left is None else f", {seconds(status.time_left)} to go"
        offers: tuple[Offer[Leaving], ...] = (
            Offer("d", "leave it training", f"'trainconsole attach' comes back{left}", "detach"),
            Offer("s", "stop and save", "at the next step, with a checkpoint", "stop"),
        )
        super().__init__("quit", offers, "")

    def action_detach(self) -> None:
        self.dismiss("detach")
