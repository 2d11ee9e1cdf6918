"""Kinds of damage that a run directory of a stranger, or of a bad disk, may show."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

ESCAPE = "\x1b[31m\x1b]0;owned\x07\u202e\r"
Harm = Callable[[Path], None]
"""Done to one file of a run."""


def replaced(data: bytes) -> Harm:
    def harm(file: Path) -> None:
        file.unlink(missing_ok=True)
        file.write_bytes(data)

    return harm


def a_directory(file: Path) -> None:
    file.unlink(missing_ok=True)
    (file / "inside").mkdir(parents=True)


def a_fifo(file: Path) -> None:
    file.unlink(missing_ok=True)
    os.mkfifo(file)


def a_link_elsewhere(file: Path) -> None:
    """To the same contents, in a place that is none of the run's."""
    elsewhere = file.parent.parent / f"elsewhere-{file.name}"
    elsewhere.write_bytes(file.read_bytes() if file.exists() else b"")
    file.unlink(missing_ok=True)
    file.symlink_to(elsewhere)


def a_link_to_no_end(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.symlink_to("/dev/zero")


def a_link_to_itself(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.symlink_to(file.name)


def gone(file: Path) -> None:
    file.unlink(missing_ok=True)


def sparse(size: int, tail: bytes = b"") -> Harm:
    """What is there, then a hole up to `size`, then `tail`."""

    def harm(file: Path) -> None:
        with open(file, "ab") as out:
            out.truncate(size)
            out.seek(size)
            out.write(tail)

    return harm


def in_each_line(change: Callable[[Any], Any]) -> Harm:
    """The JSON of each line, or of the whole, changed."""

    def harm(file: Path) -> None:
        text = file.read_text(encoding="utf-8")
        parts = text.splitlines() if file.suffix == ".jsonl" else [text]
        changed = [json.dumps(change(json.loads(part))) + "\n" for part in parts]
        file.write_text("".join(changed), encoding="utf-8")

    return harm


def texts_escape(value: Any) -> Any:
    """Control characters in every text, names included, but in those that say what a thing is."""
    match value:
        case dict():
            return {
                key if key in KNOWN else key + ESCAPE: part if key in SAYS else texts_escape(part)
                for key, part in value.items()
            }
        case list():
            return [texts_escape(part) for part in value]
        case str():
            return value + ESCAPE
    return value


def of_another_type(value: Any, depth: int = 0) -> Any:
    """Texts become numbers, numbers texts, lists and tables each other, below the first level."""
    match value:
        case dict() if depth == 0:
            return {key: part if key in SAYS else of_another_type(part, 1) for key, part in value.items()}
        case dict():
            return list(value)
        case list():
            return {"a": 1}
        case str():
            return 7
        case bool() | None:
            return "x"
        case int() | float():
            return str(value)
    return value


def without_keys(value: dict[str, Any]) -> dict[str, Any]:
    return {key: part for key, part in value.items() if key in SAYS}


def absurd(value: Any) -> Any:
    """Numbers that are far too large."""
    match value:
        case dict():
            return {key: part if key in ("format", "seq") else absurd(part) for key, part in value.items()}
        case list():
            return [absurd(part) for part in value]
        case bool():
            return value
        case int():
            return 10**17
        case float():
            return 1e300
    return value


SAYS = ("type", "format")
KNOWN = {
    *("type", "step", "branch", "seq", "time", "run", "preset", "seed", "device", "threads", "parameters"),
    *("sizes", "layers", "name", "kind", "shape", "note", "epoch", "train", "val", "loss", "accuracy", "lr"),
    *("steps_per_second", "best", "metric", "value", "command", "id", "origin", "before", "after", "passes"),
    *("parent", "at_step", "why", "pending", "lineage", "kept", "path", "weights_sha256", "reason", "test"),
    *("confusion", "classes", "signal", "checkpoint", "where", "format", "sessions", "data", "data_dir"),
    *("batch_metric", "fingerprint", "fingerprints", "torch", "machine", "asked_device", "start", "host"),
}

ANY: dict[str, Harm] = {
    "gone": gone,
    "empty": replaced(b""),
    "not UTF-8": replaced(b"\xff\xfe\x00\xd8" * 100),
    "zeros": replaced(b"\0" * 100_000),
    "no end": replaced(b'{"type":"started","step":0'),
    "nested": replaced(b"[" * 100_000 + b"]" * 100_000 + b"\n"),
    "nested as TOML": replaced(b"x = " + b"[" * 100_000 + b"]" * 100_000 + b"\n"),
    "nested tables": replaced(b"[" + b"a." * 100_000 + b"a]\n"),
    "a directory": a_directory,
    "a fifo": a_fifo,
    "a link elsewhere": a_link_elsewhere,
    "a link to no end": a_link_to_no_end,
    "a link to itself": a_link_to_itself,
    "300 MB in one line": sparse(300 * 2**20, b"\n"),
    "300 MB without an end": sparse(300 * 2**20),
    "escapes alone": replaced(ESCAPE.encode() * 20 + b"\n"),
}
JSON: dict[str, Harm] = {
    "texts with escapes": in_each_line(texts_escape),
    "of another type": in_each_line(of_another_type),
    "keys missing": in_each_line(without_keys),
    "absurd numbers": in_each_line(absurd),
    "a number": replaced(b"7\n"),
}


class Trick:
    """What runs if it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("echo pickled >&2",)


BINARY: dict[str, Harm] = {
    "a terabyte of nothing": sparse(2**40),
    "random": replaced(bytes(range(256)) * 400),
    "ones": replaced(b"\xff" * 40 * 1000),
    "a pickle": replaced(pickle.dumps(Trick())),
}
FILES: dict[str, dict[str, Harm]] = {
    "config.toml": ANY,
    "meta.json": ANY | JSON,
    "events.jsonl": ANY | JSON,
    "metrics.bin": ANY | BINARY,
    "lock": ANY,
    "host.log": ANY,
    "checkpoints/last.pt": ANY | BINARY,
    "checkpoints": {name: ANY[name] for name in ("a link to itself", "a fifo", "empty", "gone")},
}
