"""Quit: leave the run training, or stop it."""

from typing import Literal

from trainconsole.engine.messages import Status
from trainconsole.tui.plain import seconds
from trainconsole.tui.screens.few import Few, Offer

Leaving = Literal["detach", "stop", ""]


class LeaveScreen(Few[Leaving]):
    """Dismissed with how to leave, "" for not at all."""

    def __init__(self, status: Status) -> None:
        left = "" if status.time_left is None else f", {seconds(status.time_left)} to go"
        offers: tuple[Offer[Leaving], ...] = (
            Offer("d", "leave it training", f"'trainconsole attach' comes back{left}", "detach"),
            Offer("s", "stop and save", "at the next step, with a checkpoint", "stop"),
        )
        super().__init__("quit", offers, "")
