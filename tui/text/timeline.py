"""What happened in a run, as the entries of a timeline: what was asked, what came of it, the epochs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from trainconsole.engine.protocol import events
from trainconsole.engine.protocol.events import AnyEvent
from trainconsole.tui.text.event_lines import six, told
from trainconsole.tui.text.format import effect, harmless, number, rate

Kind = Literal[
    "requested",
    "applied",
    "rejected",
    "epoch",
    "best",
    "evaluated",
    "paused",
    "resumed",
    "warning",
    "told",
    "ended",
]

ON_REQUEST = "on request"
"""Why a run paused that was told to: the command's own entry says so already."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`step` None where the host has not said yet; `id` that of the command, empty for anything else.

    Whatever it is made of, `text` and `detail` are harmless.
    """

    kind: Kind
    text: str
    detail: str = ""
    step: int | None = None
    branch: int = 0
    id: str = ""

    def __post_init__(self) -> None:
        for name in ("text", "detail"):
            object.__setattr__(self, name, harmless(getattr(self, name).replace("\n", " ")))


def requested(name: str, command: str) -> Entry:
    return Entry("requested", command, id=name)


def refused(name: str, command: str, reason: str, step: int | None = None) -> Entry:
    return Entry("rejected", command, reason, step=step, id=name)


def entries(event: AnyEvent) -> Iterator[Entry]:
    """What a timeline says of `event`: one entry, or none."""
    found = _entry(event)
    if found is not None:
        yield Entry(
            found.kind, found.text, found.detail, event.step, event.branch, str(getattr(event, "id", ""))
        )


def _entry(event: AnyEvent) -> Entry | None:
    match event:
        case events.CommandApplied():
            return Entry("applied", *_applied(event))
        case events.CommandRejected():
            return refused(event.id, event.command, event.reason)
        case events.Evaluated():
            return Entry("evaluated", f"evaluated  {_validation(event)}")
        case events.EpochEnded():
            return Entry(_epoch_kind(event), f"epoch {event.epoch}  {_validation(event)}".rstrip())
        case events.Paused() if event.why != ON_REQUEST:
            return Entry("paused", "paused", event.why)
        case events.Resumed() if event.why != ON_REQUEST:
            return Entry("resumed", "resumed", event.why)
        case events.ResumedRun():
            return Entry("resumed", "session resumed", event.checkpoint or "from the start")
        case events.Started() if event.data:
            return Entry("warning", "the data", "; ".join(event.data))
        case events.Warned():
            return Entry("warning", event.why)
        case events.Finished():
            return Entry("ended", event.reason.replace("_", " "))
        case events.Interrupted():
            return Entry("ended", f"interrupted: {event.signal}", event.checkpoint)
        case events.Failed():
            return Entry("ended", "failed", event.reason)
        case _:
            return Entry("told", event.told()) if event.told() else None


def _epoch_kind(event: events.EpochEnded) -> Kind:
    return "best" if event.best is not None and event.best.step == event.step else "epoch"


def _validation(event: events.Measured) -> str:
    """The validation's own figure; the training's where there is no validation."""
    measured = event.val if event.val is not None else event.train
    name = event.best.metric if event.best is not None and event.best.metric in measured else "loss"
    return f"{'val ' if event.val is not None else ''}{six(measured.get(name))}"


def _applied(event: events.CommandApplied) -> tuple[str, str]:
    """The command with its effect in short, and what else there is to know."""
    text, before, after = harmless(event.command), event.before, event.after
    note = event.note
    match text.partition(" ")[0]:
        case "lr" if "lr" in after:
            return f"{text} → {rate(after['lr'])}", note
        case "optimizer" | "schedule" as what:
            return text, _joined(f"was {number(before.get(what))}", _rate_now(before, after), note)
        case "set" if before:
            return text, _joined(f"was {', '.join(number(value) for value in before.values())}", note)
        case "pause" | "resume" | "next":
            return text, note
        case _:
            return text, _joined(effect(before, told(before, after)).replace("->", "→"), note)


def _rate_now(before: dict[str, Any], after: dict[str, Any]) -> str:
    same = before.get("lr") == after.get("lr") or "lr" not in after
    return "" if same else f"rate {rate(after['lr'])}"


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
