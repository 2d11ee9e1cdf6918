"""The whole protocol: commands in, events and the status out, and the one grammar for commands. No torch.

lr V | lr xF | schedule NAME [k=v ...] | optimizer NAME [k=v ...] | set KNOB V | batch N | epochs N
pause | resume | next [N] | stop [best|last] | evaluate | checkpoint [NAME] | undo
rewind best|last|NAME|step N
"""

from typing import Any, Literal

from msgspec import Struct, field

from trainconsole.engine.choices import AnyOptimizer, AnySchedule
from trainconsole.engine.schedules import Plan

VERSION = 1

# --- commands ---------------------------------------------------------------------------------------------


class Command(Struct, frozen=True, kw_only=True):
    """What a person, a script or a program can ask of a run."""


class Lr(Command, frozen=True, kw_only=True):
    """The rate in force becomes `value`, or `factor` times what it is."""

    value: float | None = None
    factor: float | None = None


class SetSchedule(Command, frozen=True, kw_only=True):
    schedule: AnySchedule


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


CHANGES_TRAINING = (Lr, SetSchedule, SetOptimizer, SetKnob, SetBatch, SetEpochs, Stop)
"""What counts in a lineage."""


class Request(Struct, frozen=True, kw_only=True):
    """A command on its way: `command` is text in the grammar; the event that answers repeats `id`."""

    id: str
    origin: str
    command: str


class Interrupt(Struct, frozen=True, kw_only=True):
    """A signal: save and leave at the next step."""

    signal: str


# --- events -----------------------------------------------------------------------------------------------


class Best(Struct, frozen=True, kw_only=True):
    epoch: int
    step: int
    metric: str
    value: float


class Event(Struct, frozen=True, kw_only=True, tag_field="type"):
    """`step` is the number of updates done; `seq` and `time` (Unix, UTC) are stamped by the record."""

    step: int
    branch: int
    seq: int = -1
    time: float = 0.0


class Layer(Struct, frozen=True, kw_only=True):
    """One row of the layer table; `shape` is that of the output for one sample."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


class Started(Event, frozen=True, kw_only=True, tag="started"):
    run: str
    preset: str
    seed: int
    device: str
    threads: int
    parameters: int
    sizes: dict[str, int]
    layers: tuple[Layer, ...] = ()
    note: str = ""


class ResumedRun(Started, frozen=True, kw_only=True, tag="resumed_run"):
    checkpoint: str | None = None


class EpochEnded(Event, frozen=True, kw_only=True, tag="epoch"):
    epoch: int
    train: dict[str, float | None]
    val: dict[str, float | None] | None
    lr: float
    steps_per_second: float
    best: Best | None


class Evaluated(EpochEnded, frozen=True, kw_only=True, tag="evaluated"): ...


class CommandApplied(Event, frozen=True, kw_only=True, tag="command_applied"):
    """`before` and `after` hold the effective values, read back; `note` what else there is to know."""

    command: str
    id: str
    origin: str
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    note: str = ""


class CommandRejected(Event, frozen=True, kw_only=True, tag="command_rejected"):
    command: str
    id: str
    origin: str
    reason: str


Entry = tuple[int, str, str]
"""(step, command, id): one command of a lineage."""


class Branched(Event, frozen=True, kw_only=True, tag="branched"):
    """A new branch: `lineage` led to the state that was restored, `pending` is to be applied again."""

    parent: int
    at_step: int
    why: Literal["undo", "rewind", "resume"]
    pending: tuple[Entry, ...] = ()
    lineage: tuple[Entry, ...] = ()


Lineage = tuple[tuple[int, str], ...]
"""((step, command), ...): what leads from step 0 to some weights."""


class CheckpointSaved(Event, frozen=True, kw_only=True, tag="checkpoint"):
    path: str
    kind: Literal["last", "best", "named"]
    epoch: int
    weights_sha256: str
    lineage: Lineage = ()


class Trouble(Struct, frozen=True, kw_only=True):
    """A non-finite update: its step, the rows of the training set in its batch, the first layer concerned."""

    step: int
    samples: tuple[int, ...]
    layer: str


class Paused(Event, frozen=True, kw_only=True, tag="paused"):
    why: str
    kind: str = ""
    trouble: Trouble | None = None


class Resumed(Event, frozen=True, kw_only=True, tag="resumed"):
    why: str


class Warned(Event, frozen=True, kw_only=True, tag="warning"):
    why: str
    kind: str = ""
    trouble: Trouble | None = None


class Finding(Event, frozen=True, kw_only=True, tag="finding"):
    why: str
    kind: str
    evidence: str
    remedies: tuple[str, ...] = ()


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    reason: Literal["completed", "stopped", "early_stopping"]
    test: dict[str, float | None] | None
    best: Best | None
    run: str
    weights_sha256: str
    lineage: Lineage
    confusion: tuple[tuple[int, ...], ...] | None = None
    classes: tuple[str, ...] = ()
    note: str = ""


class Interrupted(Event, frozen=True, kw_only=True, tag="interrupted"):
    signal: str
    checkpoint: str


class Failed(Event, frozen=True, kw_only=True, tag="failed"):
    reason: str
    where: str
    kind: str = ""
    trouble: Trouble | None = None


AnyEvent = (
    Started
    | ResumedRun
    | EpochEnded
    | Evaluated
    | CommandApplied
    | CommandRejected
    | Branched
    | CheckpointSaved
    | Paused
    | Resumed
    | Warned
    | Finding
    | Finished
    | Interrupted
    | Failed
)

# --- status -----------------------------------------------------------------------------------------------

Stage = Literal["starting", "loading torch", "loading data", "training", "evaluating", "paused", "finished"]


class Status(Struct, frozen=True, kw_only=True):
    """Where a run stands: all that a console needs besides the run directory. Times in seconds.

    `plan` is all that the learning rate depends on, `epochs_done` counts the share of the current one.
    """

    version: int = VERSION
    pid: int
    run: str
    stage: Stage = "starting"
    step: int = 0
    steps: int = 0
    epoch: int = 0
    epochs: int = 0
    epochs_done: float = 0.0
    branch: int = 0
    steps_per_second: float = 0.0
    time_left: float | None = None
    in_force: dict[str, Any] = field(default_factory=dict)
    plan: Plan | None = None
    patience_left: int | None = None
    undo_depth: int = 0
    last_seq: int = -1
    rows: int = 0
    loss: float | None = None
    metric: float | None = None
    metric_name: str = ""
    error: str = ""
