"""A TensorBoard event file that is appended to, and says itself how far it has come. No torch.

Each record carries, in the field for what generated it, where in the run's record it comes from; so a mirror
that was killed finds in the file what it has written, to the record.
"""

import fcntl
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import MIB, open_regular
from trainconsole.engine.mirror.items import Done

OURS = "trainconsole mirror: "
HEADER = struct.Struct("<QI")
FOOTER = 4
LONGEST = 1 << 27
"""Bytes of a record; what claims more is none."""
TAIL = MIB
"""Bytes at the end of a file that are looked at closely."""


def library() -> tuple[Any, Any, Any]:
    """TensorBoard's Event, its writer of records and its checksum. Raises UserError where it is missing."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError:
        raise UserError(
            "--to tensorboard needs the tensorboard package, which is not installed\n"
            "pip install 'trainconsole[tensorboard]'"
        ) from None
    return Event, RecordWriter, masked_crc32c


class EventFile:
    """`done` is what the file held when it was opened, `marks` the words for it.

    Raises UserError where another mirror has it, or it cannot be opened.
    """

    def __init__(self, file: Path) -> None:
        self._event, self._writer, self._crc = library()
        self._fd = _opened(file)
        self.marks, self._size = dict[str, str](), 0
        with open(os.dup(self._fd), "rb") as data:
            for record in self._records(data):
                self._mark(self._event.FromString(record).source_metadata.writer)
                self._size += HEADER.size + len(record) + FOOTER
        self.done = _done(self.marks)
        if os.fstat(self._fd).st_size > self._size:
            os.ftruncate(self._fd, self._size)
        self._buffer = io.BytesIO()

    def add(self, mark: str, **fields: Any) -> None:
        """One record, of an event with `fields`; `mark` says what is done with it, "" says nothing."""
        if mark:
            fields["source_metadata"] = {"writer": OURS + mark}
        self._writer(self._buffer).write(self._event(**fields).SerializeToString())
        if self._buffer.tell() > MIB:
            self.flush()

    def flush(self) -> None:
        """Raises OSError; what a full disk took is cut off by the next mirror."""
        data = self._buffer.getbuffer()
        while len(data):
            written = os.pwrite(self._fd, data, self._size)
            self._size, data = self._size + written, data[written:]
        self._buffer = io.BytesIO()

    def close(self) -> None:
        os.close(self._fd)

    def _mark(self, writer: str) -> None:
        """Of each kind the last counts: "rows 12", "event 3", "own NAME 5"."""
        if writer.startswith(OURS):
            kind, _, count = writer.removeprefix(OURS).rpartition(" ")
            self.marks[kind] = count

    def _records(self, data: IO[bytes]) -> Iterator[bytes]:
        """All whole ones, up to the first that is none. Their own checksums cost a second for 50,000 records,
        and only what was written last can be amiss."""
        sure = os.fstat(self._fd).st_size - TAIL
        while len(header := data.read(HEADER.size)) == HEADER.size:
            length, check = HEADER.unpack(header)
            if self._crc(header[:8]) != check or length > LONGEST:
                return
            record, footer = data.read(length), data.read(FOOTER)
            if len(footer) < FOOTER:
                return
            if data.tell() > sure and self._crc(record) != int.from_bytes(footer, "little"):
                return
            yield record


def _opened(file: Path) -> int:
    try:
        fd = open_regular(file, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise UserError(f"another mirror of this run writes to {file}\nEnd that one first") from None
    except OSError as error:
        os.close(fd)
        raise UserError(f"{file}: cannot be locked: {error.strerror}") from None
    return fd


def _done(marks: dict[str, str]) -> Done:
    counts = {kind: int(count) for kind, count in marks.items() if count.isdecimal()}
    own = {kind.removeprefix("own "): count for kind, count in counts.items() if kind.startswith("own ")}
    return Done(rows=counts.get("rows", 0), seq=counts.get("event", -1), own=own)
