"""What carries over from one optimizer to another, by name: for the swap, and for who asks. No torch."""

ADAMS = ("adam", "adamw", "nadam", "radam")
"""These keep the same state: two moments and a step count."""

FRESH = "fresh state"
MOMENTS = "both moments and the step count carried over"
SECOND = "second moment carried over, bias-corrected"
FIRST = "momentum from the first moment"
BUFFER = "momentum carried over"


def carried(source: str, target: str, *, had: float, has: float) -> str:
    """What `target`, of momentum `has`, takes over from `source`, of momentum `had`: one of the texts above.

    That is, once `source` has taken a step; before, everything starts fresh.
    """
    if source in ADAMS and target in ADAMS:
        return MOMENTS
    if source in ADAMS and target == "rmsprop":
        return SECOND
    if target == "sgd" and has > 0 and source in ADAMS:
        return FIRST
    if target == "sgd" and has > 0 and source == "rmsprop" and had > 0:
        return BUFFER
    return FRESH


def decay_kind(name: str) -> str:
    """How the optimizer called `name` uses weight decay: "decoupled" (AdamW), "L2", or "its own"."""
    if name == "import":
        return "its own"
    return "decoupled" if name == "adamw" else "L2"


def usual_decay(name: str) -> float | None:
    """The weight decay of the optimizer called `name` where none is given, as torch has it; None where only
    the user's own class knows."""
    if name == "import":
        return None
    return 0.01 if name == "adamw" else 0.0


def decay_note(source: str, target: str, weight_decay: float) -> str:
    """That the weight decay means something else from now on, or that there is none; "" where that is no
    news."""
    before, after = decay_kind(source), decay_kind(target)
    if before == after:
        return ""
    if not weight_decay:
        return "weight decay stays 0, without which adamw is adam" if target == "adamw" else ""
    return f"weight decay {weight_decay:g} is now {after}, was {before}"
