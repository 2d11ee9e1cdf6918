"""Runs from a stranger: each string of config, record and names drives a terminal, if it is let."""

import types
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from trainconsole import presets
from trainconsole.engine.config.models import ImportedModel
from trainconsole.engine.protocol.events import (
    AnyEvent,
    Branched,
    CommandApplied,
    EpochEnded,
    Evaluated,
    Finished,
)
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.metric_rows import ROW
from trainconsole.engine.record.scalars import SCALAR

EVIL = "e\x1b]0;PWNED\x07\x1b[31m\x9b31m\x7f\r\u202e\u2066\u200b\u2028\u3164[bold red]y[/] [/no] [@click=q]"
"""Escape sequences, C1, DEL, a carriage return, text turned around, what nobody sees, and markup."""
NUMBER = "e\u202e\u2066\u200b\u3164[bold red]y[/] [/no] [@click=q]"
"""What the name of an own number may still have."""
NAME = EVIL.replace("/", "|") + "\nforged: line\udcff"
"""The same as the name of a file, with a line end and a byte that is not UTF-8."""


def unsafe(text: str) -> set[str]:
    """The characters in `text` that no output may have."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return {
        char for char in text if char == "\u3164" or (char != "\n" and unicodedata.category(char) in kinds)
    }


def made(kind: Any) -> Any:
    """A value of the type `kind`: EVIL for each string in it."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return made(parts[0])
    if origin is Literal:
        return parts[0]
    if origin in (Union, types.UnionType):
        return made(next(part for part in parts if part is not type(None)))
    if origin is dict:
        return {EVIL: made(parts[1])}
    if origin is tuple:
        return tuple(made(part) for part in parts if part is not Ellipsis)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return filled(kind)
    return {str: EVIL, int: 1, float: 0.5, bool: True, Any: EVIL}[kind]


def filled(kind: type[Struct], **given: Any) -> Any:
    """A struct whose every field is made, but for what is given."""
    hints = get_type_hints(kind, include_extras=True)
    return kind(**({name: made(hints[name]) for name in kind.__struct_fields__} | given))


def events() -> list[AnyEvent]:
    """One of each kind, `finished` last."""
    every = [kind for kind in get_args(AnyEvent) if kind is not Finished]
    known: dict[type, dict[str, Any]] = {
        EpochEnded: {"train": FIGURES, "val": FIGURES},
        Evaluated: {"train": FIGURES, "val": FIGURES},
        Branched: {"branch": 1, "parent": 0, "at_step": 0, "step": 0, "lineage": (), "pending": ()},
        CommandApplied: {
            "before": {EVIL: EVIL, "lr": EVIL},
            "after": {EVIL: EVIL + "2", "lr": EVIL},
        },
    }
    return [*(filled(kind, **known.get(kind, {})) for kind in every), filled(Finished)]


FIGURES = {EVIL: 0.5, "loss": 0.25}
META = {
    "format": run_directory.FORMAT,
    "preset": EVIL,
    "metric": EVIL,
    "batch_metric": EVIL,
    "device": EVIL,
    "task": EVIL,
    "versions": {EVIL: EVIL},
    "data": {"fingerprint": EVIL, "sizes": {"train": 10, EVIL: 3}, "classes": [EVIL], "note": EVIL},
    "command_line": [EVIL],
    "data_dir": f"/tmp/{EVIL}",
    "scalars": {"dtype": EVIL, "names": {EVIL: "a.bin", NUMBER: "b.bin", "c": EVIL, EVIL + "2": "../../x"}},
    "sessions": [{"start": EVIL, "host": EVIL, "device": EVIL, "torch": EVIL, "threads": 1}],
}


def written(runs: Path, name: str = NAME) -> Path:
    """A run directory called `name` all of whose strings are EVIL."""
    path = runs / name
    path.mkdir(parents=True)
    config = presets.load("iris")[1]
    model = ImportedModel(target="a.b:C", args={EVIL: EVIL}, init_from=EVIL, freeze=(EVIL,))
    run_directory.write_config(path, replace(config, description=EVIL, model=model))
    (path / "meta.json").write_bytes(msgspec.json.encode(META))
    rows = np.zeros(20, ROW)
    rows["step"], rows["epoch"], rows["loss"], rows["lr"] = np.arange(1, 21), 1, np.linspace(2, 1, 20), 1e-3
    rows["branch"] = 1
    (path / "metrics.bin").write_bytes(rows.tobytes())
    (path / "scalars").mkdir()
    for name in ("a.bin", "b.bin"):
        (path / "scalars" / name).write_bytes(np.full(3, 1, SCALAR).tobytes())
    lines = [msgspec.json.encode(replace(event, seq=index)) for index, event in enumerate(events())]
    (path / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (path / "host.log").write_text(f"{EVIL}\n", encoding="utf-8", newline="")
    return path
