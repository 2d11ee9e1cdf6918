"""What a task measures: the names of its metrics and which way is better. No torch."""

import difflib

METRICS: dict[str, tuple[str, ...]] = {
    "classification": ("accuracy", "balanced_accuracy", "loss"),
    "regression": ("mae", "rmse", "r2", "loss"),
}
"""By task; the first is the one that a batch has too, and the default for best."""

NAMES = tuple(sorted({name for names in METRICS.values() for name in names}))


def maximised(metric: str) -> bool:
    """Whether more is better."""
    return metric in ("accuracy", "balanced_accuracy", "r2")


def check_metric(name: str | None) -> None:
    """Raises ValueError with the nearest name where there is no such metric; None is fine."""
    if name is not None and name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, n=1)
        raise ValueError(
            f"unknown metric '{name}'"
            + (f", did you mean '{close[0]}'?" if close else f"; known: {', '.join(NAMES)}")
        )
