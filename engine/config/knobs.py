"""Knobs: what `set NAME V` turns while a run trains, each described in one place. No torch."""

from dataclasses import dataclass
from typing import Any

from trainconsole.engine.config.run import RunConfig


@dataclass(frozen=True)
class Knob:
    """`place` is where RunConfig has it. `brief` says what it does, `takes` what may be typed, `covers` what
    its value is over, which is said when it is set. With `off_at_zero` 0 switches it off."""

    name: str
    place: tuple[str, ...]
    brief: str
    takes: str
    covers: str = ""
    off_at_zero: bool = False

    def configured(self, config: RunConfig) -> Any:
        """The value that a run begins with; None where it is off, or left to optimizer or model."""
        value: Any = config
        for part in self.place:
            value = getattr(value, part)
        return value


KNOBS = {
    knob.name: knob
    for knob in (
        Knob(
            "weight_decay",
            ("regularisation", "weight_decay"),
            "pulls weights towards 0",
            "a number from 0, or off",
            off_at_zero=True,
        ),
        Knob(
            "l1",
            ("regularisation", "l1"),
            "pulls weights to exactly 0",
            "a number from 0, or off",
            "over all trained weights of the model, biases and norms too; it is in none of the losses shown",
            off_at_zero=True,
        ),
        Knob(
            "clip.norm",
            ("regularisation", "clip", "norm"),
            "longest gradient",
            "a number above 0, or off",
            "the norm of all trained weights' gradients together, before each update",
        ),
        Knob(
            "clip.value",
            ("regularisation", "clip", "value"),
            "largest part of a gradient",
            "a number above 0, or off",
            "each number of a gradient by itself, before each update",
        ),
        Knob(
            "dropout",
            ("regularisation", "dropout"),
            "share of activations dropped",
            "a number from 0, below 1; off: as the model has it",
        ),
        Knob(
            "label_smoothing",
            ("regularisation", "label_smoothing"),
            "share of a label given away",
            "a number from 0, below 1, or off",
            "in the train loss alone: val and test are without it",
            off_at_zero=True,
        ),
        Knob(
            "augment",
            ("regularisation", "augment"),
            "how much images are changed",
            "strength: a number from 0 to 1, on, or off",
            "the images that are trained on, each anew in each epoch; val and test stay as they are",
            off_at_zero=True,
        ),
        Knob(
            "patience",
            ("early_stopping", "patience"),
            "epochs without improvement",
            "a whole number from 1: then it stops by itself; or off",
        ),
    )
}


def configured(config: RunConfig) -> dict[str, Any]:
    """The value of each knob that `config` begins with, by name."""
    return {name: knob.configured(config) for name, knob in KNOBS.items()}
