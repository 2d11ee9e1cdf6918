"""Early stopping as a frozen count of epochs without improvement. No torch."""

from math import isfinite

from msgspec import Struct
from msgspec.structs import replace

from trainconsole.engine.config.run import EarlyStopping
from trainconsole.engine.config.tasks import maximised


class Patience(Struct, frozen=True, kw_only=True):
    """`metric` is watched; `best` is its best value by more than min_delta; `bad_epochs` followed it."""

    metric: str
    best: float | None = None
    bad_epochs: int = 0

    def observed(self, seen: dict[str, float], config: EarlyStopping) -> "Patience":
        """After one more epoch with metrics `seen`; what is not finite is no improvement. While early
        stopping is off nothing is counted."""
        if config.patience is None:
            return self
        value = seen.get(self.metric, float("nan"))
        if isfinite(value) and (self.best is None or self._improves(value, self.best, config.min_delta)):
            return replace(self, best=value, bad_epochs=0)
        return replace(self, bad_epochs=self.bad_epochs + 1)

    def given_anew(self) -> "Patience":
        """All of it is left again; the best value stays."""
        return replace(self, bad_epochs=0)

    def left(self, config: EarlyStopping) -> int | None:
        """Epochs without improvement that are still allowed; None where early stopping is off."""
        return None if config.patience is None else max(0, config.patience - self.bad_epochs)

    def _improves(self, value: float, best: float, min_delta: float) -> bool:
        return value > best + min_delta if maximised(self.metric) else value < best - min_delta
