"""The end of a record: how a run ended and how far it came, whatever came before. No torch."""

import os
from pathlib import Path

from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import MIB, open_regular
from trainconsole.engine.protocol.events import AnyEvent, EpochEnded
from trainconsole.engine.record.journal import LONGEST, NAME, decoded, said

FIRST = 64 * 1024
"""Bytes from the end that are looked at first; four times as many, as long as something is missing."""
MOST = 2 * LONGEST
EPOCH = b'{"type":"epoch",'


class LastWords(Struct, frozen=True, kw_only=True):
    """The last event and the last `epoch`, None where there is none near the end; `trouble` says what could
    not be read, "" where all of that could."""

    last: AnyEvent | None = None
    epoch: EpochEnded | None = None
    trouble: str = ""


def last_words(run: Path) -> LastWords:
    """Of the record of `run`, within MOST bytes of its end. Raises UserError where it cannot be read."""
    file = run / NAME
    try:
        fd = open_regular(file)
    except FileNotFoundError:
        return LastWords()
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from None
    try:
        return _found(fd)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from None
    finally:
        os.close(fd)


def _found(fd: int) -> LastWords:
    size, span = os.fstat(fd).st_size, FIRST
    while True:
        lines = _whole(os.pread(fd, span, max(0, size - span)), span >= size)
        epoch = max(lines.rfind(b"\n" + EPOCH) + 1, 0)
        if (lines.count(b"\n", 0, -1) and epoch) or span >= min(size, MOST):
            break
        span *= 4
    last, trouble = _event(lines[lines.rfind(b"\n", 0, -1) + 1 :])
    begun = lines.startswith(EPOCH, epoch)
    ended, _ = _event(lines[epoch : lines.find(b"\n", epoch) + 1]) if begun else (None, "")
    if trouble:
        trouble = f"line {_number(fd, size)} of {NAME} cannot be read: {trouble}"
    return LastWords(last=last, epoch=ended if isinstance(ended, EpochEnded) else None, trouble=trouble)


def _whole(data: bytes, from_start: bool) -> bytes:
    """The lines in `data` that are there from begin to end."""
    return data[0 if from_start else data.find(b"\n") + 1 : data.rfind(b"\n") + 1]


def _event(line: bytes) -> tuple[AnyEvent | None, str]:
    """What a line is, and why it is nothing."""
    if not line:
        return None, ""
    try:
        return decoded(line), ""
    except (ValueError, RecursionError) as error:
        return None, said(error)


def _number(fd: int, size: int) -> int:
    """Of the last whole line, from 1."""
    return sum(os.pread(fd, MIB, at).count(b"\n") for at in range(0, size, MIB))
