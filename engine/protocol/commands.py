"""Commands: what a person, a script or a program can ask of a run. No torch.

lr [OPTIMIZER] V | lr [OPTIMIZER] xF | schedule NAME [k=v ...] | schedule own | optimizer NAME [k=v ...]
set KNOB V | batch N | epochs N | pause | resume | next [N] | stop [best|last] | evaluate | checkpoint [NAME]
undo | rewind best|last|NAME|step N
"""

from typing import Literal

from msgspec import Struct

from trainconsole.engine.config.optimizers import AnyOptimizer
from trainconsole.engine.config.schedules import AnySchedule


class Command(Struct, frozen=True, kw_only=True):
    """What a person, a script or a program can ask of a run."""


class Lr(Command, frozen=True, kw_only=True):
    """The rate in force becomes `value`, or `factor` times what it is; with the name of an `optimizer` that
    of one of several."""

    value: float | None = None
    factor: float | None = None
    optimizer: str = ""


class SetSchedule(Command, frozen=True, kw_only=True):
    schedule: AnySchedule


class OwnSchedule(Command, frozen=True, kw_only=True):
    """The schedule that the script itself has is in force again."""


class SetOptimizer(Command, frozen=True, kw_only=True):
    """`given` holds the parameters that were named: without lr our default becomes the new base."""

    optimizer: AnyOptimizer
    given: tuple[str, ...] = ()


class SetKnob(Command, frozen=True, kw_only=True):
    """`value` None switches the knob off."""

    knob: str
    value: float | None


class SetBatch(Command, frozen=True, kw_only=True):
    size: int


class SetEpochs(Command, frozen=True, kw_only=True):
    epochs: int


class Pause(Command, frozen=True, kw_only=True): ...


class Resume(Command, frozen=True, kw_only=True): ...


class Next(Command, frozen=True, kw_only=True):
    """Train `steps` steps, then pause."""

    steps: int = 1


class Stop(Command, frozen=True, kw_only=True):
    keep: Literal["best", "last"] = "last"


class Evaluate(Command, frozen=True, kw_only=True): ...


class SaveCheckpoint(Command, frozen=True, kw_only=True):
    name: str = ""


class Undo(Command, frozen=True, kw_only=True): ...


class Rewind(Command, frozen=True, kw_only=True):
    """To the checkpoint `name` (best, last or one asked for), or to `step`."""

    name: str = ""
    step: int | None = None


CHANGES_TRAINING = (Lr, SetSchedule, OwnSchedule, SetOptimizer, SetKnob, SetBatch, SetEpochs, Stop)
"""What counts in a lineage; `resume` does where it `passes` a withheld update."""


class Request(Struct, frozen=True, kw_only=True):
    """A command on its way: `command` is text in the grammar; the event that answers repeats `id`."""

    id: str
    origin: str
    command: str


class Interrupt(Struct, frozen=True, kw_only=True):
    """A signal: save and leave at the next step."""

    signal: str
