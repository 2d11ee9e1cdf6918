"""Atomic save and load of a training state, with a digest that is checked before anything is unpickled.

A file is what torch.save writes, followed by a trailer: magic (8 bytes), length of what comes before it
(8 bytes, little-endian), its sha256 (32 bytes). `torch.load(path, weights_only=True)` reads it too.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any

import torch

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import kind_of
from trainconsole.engine.record.checkpoint_names import followed, label
from trainconsole.engine.record.open_directory import Directory
from trainconsole.engine.tensors import memory, storable
from trainconsole.engine.tensors.copies import State as State
from trainconsole.engine.tensors.copies import copy_state as copy_state
from trainconsole.engine.tensors.copies import room_for as room_for
from trainconsole.engine.tensors.digest import weights_sha256 as weights_sha256

MAGIC = b"TRNCNSL1"
TRAILER = len(MAGIC) + 8 + 32
FORMAT = 1
CHUNK = 2**20


class NoMemory(UserError):
    """A checkpoint may be whole, and was too large to be read."""


def save(directory: Path, file: str, name: str, state: Mapping[str, Any], *, check: bool = False) -> Path:
    """Write `state` to directory/file, then have directory/NAME.pt stand for it, unless `name` is "".

    `state` holds what `storable` says; with `check` that is tried: what was written is read back, but for the
    values. Returns the path of the file. Raises OSError and UserError; then neither the file nor what NAME.pt
    stands for has changed.
    """
    with Directory(directory, make=True) as folder:
        with _drafted(folder, file, state, check) as draft:
            folder.rename(draft, file)
        try:
            if name:
                folder.point(f"{name}.pt", file)
        except OSError:
            folder.remove(file)
            raise
    return directory / file


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state`, as of save(), to a file of its own. Raises OSError; then there is no such file."""
    with Directory(path.parent) as folder, _drafted(folder, path.name, state, False) as draft:
        folder.rename(draft, path.name)


def attempt(directory: Path, state: Mapping[str, Any]) -> None:
    """Write `state` under a name that does not last, and read it back. Raises as `save`."""
    new = not kind_of(directory)
    with Directory(directory, make=True) as folder, _drafted(folder, "last-b0-s000000.pt", state, True):
        pass
    if new:
        directory.rmdir()


def load(path: Path) -> State:
    """The state in `path`, or in what it stands for, on the CPU.

    Raises UserError where the file is missing, cut, altered, none of ours, or too large for the memory.
    """
    try:
        with _opened(path) as file:
            _check_digest(file, path)
            file.seek(0)
            state = storable.read(torch.load(file, map_location="cpu", weights_only=True))
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except Exception as error:
        if memory.ran_out(error):
            raise NoMemory(f"{path}: there is no memory to read it") from None
        raise UserError(f"{path}: no checkpoint that can be read ({type(error).__name__})") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format") if isinstance(state, dict) else None
        raise UserError(f"{path}: format {found}, this version reads format {FORMAT}")
    return state


def best_named_in(path: Path) -> str:
    """The file of the best that the checkpoint at `path` knows; "" where it knows none or is damaged.

    Only the structure is read: the tensors stay on the disk.
    """
    try:
        with _opened(path) as file:
            best = _structure(file).get("best_file", "")
    except Exception:
        return ""
    return best if isinstance(best, str) and label(best) else ""


def _structure(file: BufferedReader) -> Any:
    """The contents of `file` without the values of its tensors, where torch can do that. Raises as torch."""
    try:
        return torch.load(file, map_location="meta", weights_only=True)
    except RuntimeError:
        # Among them that something cannot be made without its values.
        file.seek(0)
        return torch.load(file, map_location="cpu", weights_only=True)


def _opened(path: Path) -> BufferedReader:
    """The regular file at `path`, or what it stands for in its own folder."""
    path = followed(path)
    with Directory(path.parent) as folder:
        return open(folder.open(path.name), "rb")


def _check_digest(file: BufferedReader, path: Path) -> None:
    size = os.fstat(file.fileno()).st_size - TRAILER
    file.seek(max(0, size))
    trailer = file.read(TRAILER)
    magic, length, stated = trailer[:8], trailer[8:16], trailer[16:]
    if size < 0 or magic != MAGIC or int.from_bytes(length, "little") != size:
        raise UserError(f"{path}: not a whole checkpoint: it was cut short, or is none of ours")
    digest = hashlib.sha256()
    file.seek(0)
    while size and (chunk := file.read(min(CHUNK, size))):
        digest.update(chunk)
        size -= len(chunk)
    if digest.digest() != stated:
        raise UserError(f"{path}: damaged: its contents do not match their sha256")


@contextmanager
def _drafted(folder: Directory, name: str, state: Mapping[str, Any], check: bool) -> Iterator[str]:
    """The name of a file with `state`, to be renamed, else it goes. Written straight into the file: not
    300 MB in memory for 25 M parameters."""
    draft = f".{name}.{os.getpid()}"
    # Another process of this number has left it: this one alone writes here.
    folder.remove(draft)
    try:
        with open(folder.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            sink = _Sink(file)
            torch.save(storable.written(state), sink)  # type: ignore[arg-type]
            file.write(sink.trailer())
            file.flush()
            os.fsync(file.fileno())
        if check:
            _check_readable(folder, draft)
        yield draft
    finally:
        folder.remove(draft)


def _check_readable(folder: Directory, name: str) -> None:
    try:
        with open(folder.open(name), "rb") as file:
            _structure(file)
    except OSError:
        raise
    except Exception as error:
        if memory.ran_out(error):
            raise
        refused = re.search(r"GLOBAL ([\w.]+)", str(error))
        why = f"it holds a {refused[1]}" if refused else type(error).__name__
        raise UserError(
            f"a checkpoint of this run could not be read back: {why}; tensors, numbers, text, and lists and"
            " dicts of them can be kept in the state of a model and an optimizer"
        ) from error


class _Sink:
    """What torch.save writes to: counted and hashed on its way into `file`. An OSError waits until the end,
    because torch would make a RuntimeError of it."""

    def __init__(self, file: BufferedWriter) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._length = 0
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self._length += len(data)
        try:
            if self._error is None:
                self._file.write(data)
        except OSError as error:
            self._error = error
        return len(data)

    def flush(self) -> None:
        """torch.save asks for it; done at the end."""

    def trailer(self) -> bytes:
        """Of what was written. Raises the OSError that kept it from being written."""
        if self._error is not None:
            raise self._error
        return MAGIC + self._length.to_bytes(8, "little") + self._digest.digest()
