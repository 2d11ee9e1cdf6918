"""Stop early: with the best weights, or with the last."""

from trainconsole.engine.messages import Best, Status
from trainconsole.tui.plain import number
from trainconsole.tui.screens.few import Few, Offer


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
