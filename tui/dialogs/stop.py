"""Stop early, with the best weights or with the last; quit, and leave the run training or stop it."""

from typing import ClassVar, Literal

from textual.binding import Binding, BindingType

from trainconsole.engine.protocol.events import Best
from trainconsole.engine.protocol.status import Status
from trainconsole.tui.dialogs.option_dialog import Few, Offer
from trainconsole.tui.text.format import number, seconds


class StopScreen(Few[tuple[str, ...]]):
    """Dismissed with ("stop best",), ("stop last",) or ()."""

    def __init__(self, status: Status, best: Best | None = None) -> None:
        offers: tuple[Offer[tuple[str, ...]], ...] = (
            Offer("b", "stop and keep the best", _best(best), ("stop best",)),
            Offer("l", "stop and keep the last", _last(status), ("stop last",)),
        )
        super().__init__("stop early", offers, ())


def _best(best: Best | None) -> str:
    if best is None:
        return "none is known yet: the same as the last"
    return f"{best.metric} {number(best.value)}, epoch {best.epoch}, step {best.step:,}"


def _last(status: Status) -> str:
    return f"as they are now: epoch {status.epoch}, step {status.step:,}"


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
