"""What W&B has kept of a run on this machine: the rows in its transaction logs, offline or not. No torch.

A log is LevelDB's: blocks of 32 KiB with pieces of records, each with a checksum that is not looked at here.
What was torn off at its end was never a row.
"""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

BLOCK = 32768
PIECE = struct.Struct("<IHB")
"""Checksum, length, kind."""
FULL, FIRST, LAST = 1, 2, 4
MAGIC = b":W&B"
HEAD = 7
"""Bytes before the first piece."""
QUIET, LONGEST = 2.0, 15.0
"""Seconds without a word after which a log is over, and the most that are waited."""


class Kept(Struct, kw_only=True):
    """By name: the newest step, and how many rows have it. `rows` is W&B's own number of the next row."""

    newest: dict[str, int]
    counts: dict[str, int]
    rows: int = 0


def kept(folder: Path, run_id: str, axis: str) -> Kept:
    """Of all sessions of a run whose directories are in `folder`; a row has its step under `axis`."""
    found = Kept(newest={}, counts={})
    for file in _files(folder, run_id):
        for row in rows(file):
            step = row.get(axis)
            found.rows = max(found.rows, int(row.get("_step", -1)) + 1)
            for name in row if isinstance(step, int) else ():
                found.newest[name] = max(found.newest.get(name, -1), int(step or 0))
                found.counts[name] = found.counts.get(name, 0) + 1
    return found


def rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of one session, in order."""
    from google.protobuf.message import DecodeError
    from wandb.proto.wandb_internal_pb2 import Record

    with open(file, "rb") as log:
        for data in _records(log):
            try:
                record = Record.FromString(data)
                items = record.history.item if record.WhichOneof("record_type") == "history" else ()
                row = {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}
            except (ValueError, DecodeError):
                continue
            if row:
                yield row


def settle(folder: Path, run_id: str) -> None:
    """Wait for a process of W&B's that outlives a mirror that was killed: it writes down what it has."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline and any(
        abs(time.time() - file.stat().st_mtime) < QUIET for file in _files(folder, run_id)
    ):
        time.sleep(QUIET / 10)


def _files(folder: Path, run_id: str) -> list[Path]:
    return sorted(folder.glob(f"*run-*-{run_id}/run-{run_id}.wandb"))


def _records(log: IO[bytes]) -> Iterator[bytes]:
    block, at, record = log.read(BLOCK), HEAD, b""
    while block.startswith(MAGIC) or log.tell() > BLOCK:
        while at + PIECE.size <= len(block):
            _, length, kind = PIECE.unpack_from(block, at)
            if not kind or at + PIECE.size + length > len(block):
                break
            record = (b"" if kind in (FULL, FIRST) else record) + block[at + PIECE.size :][:length]
            at += PIECE.size + length
            if kind in (FULL, LAST):
                yield record
        if len(block) < BLOCK:
            return
        block, at = log.read(BLOCK), 0
