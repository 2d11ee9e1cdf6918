"""What a penalty or a smoothing covers, said where it is set: the figures shown do not tell. No torch."""

from collections.abc import Sequence

from trainconsole.engine.config.knobs import KNOBS
from trainconsole.engine.config.optimizers import kind

ALL = "all trained weights, biases and norms too"
KINDS = {"L2": "L2 in the gradient", "decoupled": "decoupled", "its own": "as the optimizer has it"}
DRAWN = {
    "weighted_sampler": "drawn with replacement, all classes as likely",
    "oversample": "repeated until all classes have as many",
}


def of_knob(knob: str, value: float | None, optimizer: str) -> str:
    """What `knob` at `value` covers under the optimizer of this tag; "" where that is off or plain."""
    if not value:
        return ""
    if knob == "weight_decay":
        return f"{KINDS[kind(optimizer).decay]}, over {ALL}"
    return KNOBS[knob].covers


def of_dropout(before: Sequence[float], plain: Sequence[str]) -> str:
    """That one rate took the place of several, and which rates are plain numbers that it does not reach."""
    low, high = min(before), max(before)
    several = f"all {len(before)} dropout layers, which had {low:g} to {high:g}" if low != high else ""
    return "; ".join(filter(None, (several, unreached(plain))))


def unreached(plain: Sequence[str]) -> str:
    """'not features.drop_rate and 3 more: ...', "" where there is none."""
    more = f" and {len(plain) - 1} more" if len(plain) > 1 else ""
    return f"not {plain[0]}{more}: plain numbers in the model's own code" if plain else ""


def of_patience(epochs: float | None, part: str, metric: str) -> str:
    """What early stopping watches."""
    return f"stops after {epochs:g} epochs without a better {part} {metric}" if epochs else ""


def of_draws(balance: str) -> tuple[str, ...]:
    """What the train figures of a balanced set are averaged over; () where each row comes once."""
    if balance not in DRAWN:
        return ()
    return (f"train loss and metrics are over rows {DRAWN[balance]}; val and test over each row once",)


def of_train_loss(label_smoothing: float, *, weighted: bool) -> tuple[str, ...]:
    """What only the train loss has; () where it is as the others are."""
    parts = ["class weights"] if weighted else []
    parts += [f"label smoothing {label_smoothing:g}"] if label_smoothing else []
    return (f"the train loss has {' and '.join(parts)}, val and test loss have not",) if parts else ()
