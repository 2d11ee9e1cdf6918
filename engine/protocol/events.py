"""Events: what happened to a run, as its record keeps them. No torch."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Count = Annotated[int, Meta(ge=0, le=2**62)]
BranchNumber = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Moment = Annotated[float, Meta(ge=0, le=2.0**37)]
"""Seconds since 1970 that a calendar knows."""


class Best(Struct, frozen=True, kw_only=True):
    """`value` None is one that was not finite, in a record of old: such a one is no best any more."""

    epoch: Count
    step: Count
    metric: str
    value: float | None


class Event(Struct, frozen=True, kw_only=True, tag_field="type"):
    """`step` is the number of updates done; `seq` and `time` (Unix, UTC) are stamped by the record."""

    step: Count
    branch: BranchNumber
    seq: Annotated[int, Meta(ge=-1, le=2**62)] = -1
    time: Moment = 0.0

    def told(self) -> str:
        """What timeline and headless run say of it in one line, where neither has words of its own for it;
        "" for nothing."""
        return ""


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
    data: tuple[str, ...] = ()


class ResumedRun(Started, frozen=True, kw_only=True, tag="resumed_run"):
    checkpoint: str | None = None


class Measured(Event, frozen=True, kw_only=True):
    """The means of the epoch so far in `train`, and the validation; null is what was not finite."""

    epoch: Count
    train: dict[str, float | None]
    val: dict[str, float | None] | None
    lr: float | None
    steps_per_second: float | None
    best: Best | None


class EpochEnded(Measured, frozen=True, kw_only=True, tag="epoch"): ...


class Evaluated(Measured, frozen=True, kw_only=True, tag="evaluated"):
    """It was asked for, and the epoch goes on."""


class CommandApplied(Event, frozen=True, kw_only=True, tag="command_applied"):
    """`before` and `after` hold the effective values, read back; `note` what else there is to know.
    `passes`: it let the run go on past a withheld update, and counts in the lineage as `resume`."""

    command: str
    id: str
    origin: str
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    passes: bool = False


class CommandRejected(Event, frozen=True, kw_only=True, tag="command_rejected"):
    command: str
    id: str
    origin: str
    reason: str


Entry = tuple[int, str, str]
"""(step, command, id): one command of a lineage."""


class Branched(Event, frozen=True, kw_only=True, tag="branched"):
    """A new branch; `pending` is to be applied again.

    What led to the state that was restored: the first `kept` entries of the lineage of `parent`, then
    `lineage`. In a record of old `kept` is None, and `lineage` is all of it.
    """

    parent: BranchNumber
    at_step: Count
    why: Literal["undo", "rewind", "resume"]
    pending: tuple[Entry, ...] = ()
    lineage: tuple[Entry, ...] = ()
    kept: Count | None = None


Lineage = tuple[tuple[int, str], ...]
"""((step, command), ...): what leads from step 0 to some weights."""


class CheckpointSaved(Event, frozen=True, kw_only=True, tag="checkpoint"):
    """What led to it are the first `kept` entries of the lineage of its branch, then `lineage`; of old `kept`
    is None, and `lineage` is all of it."""

    path: str
    kind: Literal["last", "best", "named"]
    epoch: int
    weights_sha256: str
    lineage: Lineage = ()
    kept: Count | None = None


class Trouble(Struct, frozen=True, kw_only=True):
    """A non-finite update: its step, the rows of the training set in its batch, the first layer concerned."""

    step: int
    samples: tuple[int, ...]
    layer: str

    def described(self) -> str:
        """One sentence."""
        first = ", ".join(str(sample) for sample in self.samples[:8])
        more = f" and {len(self.samples) - 8} more" if len(self.samples) > 8 else ""
        return (
            f"the update of step {self.step} was withheld: not finite, first in {self.layer};"
            f" training samples {first}{more}"
        )


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


class Unread(Warned, frozen=True, kw_only=True, tag="unread"):
    """Never written: it stands for line `line` (from 1) of a record, which no event can be made of.

    `of` is the type that the line says it has, "" where not even that can be told; `why` is one sentence.
    """

    line: int
    of: str = ""

    @property
    def leads(self) -> bool:
        """Whether it may have been part of what the weights come from."""
        return self.of in ("", "command_applied", "branched")


class Finding(Event, frozen=True, kw_only=True, tag="finding"):
    """Something that was found out about the run: its `kind`, what speaks for it, what can be done."""

    kind: str
    evidence: str
    remedies: tuple[str, ...] = ()

    def told(self) -> str:
        return "; ".join([f"{self.kind}: {self.evidence}".replace("\n", "; "), *self.remedies])


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """`weights` says whose `test`, confusion and sum are, "" in older records; `test_best` has the figures of
    the best epoch's weights where the run ends with others."""

    reason: Literal["completed", "stopped", "early_stopping"]
    test: dict[str, float | None] | None
    best: Best | None
    run: str
    weights_sha256: str
    lineage: Lineage
    confusion: tuple[tuple[int, ...], ...] | None = None
    classes: tuple[str, ...] = ()
    note: str = ""
    weights: Literal["best", "last", ""] = ""
    test_best: dict[str, float | None] | None = None


class Interrupted(Event, frozen=True, kw_only=True, tag="interrupted"):
    signal: str
    checkpoint: str


class Failed(Event, frozen=True, kw_only=True, tag="failed"):
    """`checkpoint` holds the last good step; "" where none could be saved."""

    reason: str
    where: str
    kind: str = ""
    trouble: Trouble | None = None
    checkpoint: str = ""


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
