"""Stop early: with the best weights, or with the last."""

from trainconsole.engine.protocol.events import Best
from trainconsole.engine.protocol.status import Status
from trainconsole.tui.dialogs.option_dialog import Few, Offer
from trainconsole.tui.text.format import number


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
