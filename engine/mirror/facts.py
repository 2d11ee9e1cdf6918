"""What a mirror says of a run beside its curves: names, config, commands, the result. No torch."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import as_toml, harmless, message
from trainconsole.engine.common.files import read_bytes
from trainconsole.engine.config.toml import parse
from trainconsole.engine.protocol.events import (
    AnyEvent,
    CommandApplied,
    EpochEnded,
    Failed,
    Finished,
    Interrupted,
)
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.journal import Journal
from trainconsole.engine.record.runs_dir import CONFIG, LARGEST

MEASURED = ("loss", "metric", "lr", "grad_norm")
FIRST = 65536
"""Bytes of events.jsonl that are read for the first event."""
RESERVED = ("step", "command", "config", "result", "reason", "weights", "weights_sha256")
LONGEST = 2000
"""Characters of a command, or of a reason, that are passed on."""

Numbers = dict[str, float]


class Facts(Struct, frozen=True, kw_only=True):
    """`began` is when the run did, in seconds since 1970: what tells it from another of its name. `tags` has
    the name that each column of a row is shown under, in the order of MEASURED."""

    run: Path
    name: str
    began: float
    config: str
    tags: dict[str, str]

    @property
    def settings(self) -> dict[str, Any]:
        """The config as {"optimizer.lr": 0.001, ...}; nothing where it cannot be read."""
        try:
            return dict(_flat(parse(self.config, CONFIG), ""))
        except UserError:
            return {}

    def own_name(self, name: str) -> str:
        """What a user's own number is called: its own name, if no curve of ours has it."""
        name = harmless(name)[:200]
        taken = name in (*self.tags.values(), *RESERVED) or name.startswith(("train/", "val/", "test/", "_"))
        return f"own/{name}" if taken or not name else name


def read(run: Path) -> Facts | None:
    """None while training has not begun. Raises UserError where the record cannot be read."""
    meta = run_directory.read_meta(run)
    events = Journal(run).read(FIRST)
    if not events:
        return None
    tags = dict(zip(MEASURED, MEASURED, strict=True)) | {"metric": harmless(meta.batch_metric) or "metric"}
    return Facts(
        run=run, name=harmless(run.name), began=events[0].time, config=as_toml(_config(run)), tags=tags
    )


def command(event: CommandApplied) -> str:
    """In one line: the command, and what there is to know of it."""
    note = f"  ({event.note})" if event.note else ""
    return f"step {event.step}: {_line(event.command + note)}"


def result(event: AnyEvent) -> dict[str, str]:
    """How the run ended, by name; {} for an event that is no end."""
    match event:
        case Finished():
            return {
                "reason": event.reason,
                "weights": event.weights,
                "weights_sha256": _line(event.weights_sha256),
            }
        case Interrupted():
            return {"reason": f"interrupted: {_line(event.signal)}"}
        case Failed():
            return {"reason": f"failed: {_line(event.reason)}"}
    return {}


def numbers(event: AnyEvent) -> Numbers:
    """train/NAME and val/NAME of an epoch, test/NAME of the end; NaN is what was not finite."""
    match event:
        case EpochEnded():
            return _under("train", event.train) | _under("val", event.val)
        case Finished():
            return _under("test", event.test)
    return {}


def _under(part: str, values: dict[str, float | None] | None) -> Numbers:
    return {
        f"{part}/{harmless(name)}": math.nan if value is None else value
        for name, value in (values or {}).items()
    }


def _line(text: str) -> str:
    return harmless(" / ".join(message(text).splitlines()))[:LONGEST]


def _config(run: Path) -> str:
    try:
        return read_bytes(run / CONFIG, LARGEST).decode(errors="replace")
    except OSError:
        return ""


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, str | int | float | bool) else str(value)
