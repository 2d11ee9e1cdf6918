"""Files of a run directory: regular ones are opened, read within bounds, replaced whole. No torch.

A run directory may come from a stranger. Nothing here follows a link, waits for the writer of a fifo, or
reads more than it was told to.
"""

import errno
import os
import stat
from pathlib import Path

MIB = 2**20


class NotRegular(OSError):
    """What is there is a link, a directory, a fifo or a device; `strerror` says so."""

    def __init__(self, path: Path, what: str, wanted: str = "a file") -> None:
        super().__init__(errno.EINVAL, f"it is {what}, not {wanted}", str(path))


class TooLarge(OSError):
    """The file has more bytes than what it holds can need."""

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(errno.EFBIG, f"larger than {limit // MIB or 1} MiB", str(path))


def open_regular(
    path: Path, flags: int = os.O_RDONLY, mode: int = 0o644, *, folder: int | None = None
) -> int:
    """A file descriptor of the regular file at `path`, which is made where `flags` has O_CREAT.

    `path` is relative to the directory open as `folder`, if that is given. Raises NotRegular for anything
    else that is there, links included (only of the last part of `path`), and OSError as os.open does.
    """
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode, dir_fd=folder)
    except OSError as error:
        what = kind_of(path, folder)
        if what in ("", "a file"):
            raise
        raise NotRegular(path, what) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NotRegular(path, kind_of(path, folder) or "gone")
    return fd


def read_bytes(path: Path, limit: int) -> bytes:
    """All of the regular file at `path`. Raises OSError: NotRegular, TooLarge over `limit` bytes, others."""
    with open(open_regular(path), "rb") as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise TooLarge(path, limit)
        data = file.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(path, limit)
    return data


def kind_of(path: Path, folder: int | None = None) -> str:
    """What is at `path`, in a word: "a file", "a link", "a directory", ...; "" where nothing is."""
    try:
        mode = os.lstat(path, dir_fd=folder).st_mode
    except OSError:
        return ""
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFLNK: "a link",
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a fifo",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def replace_file(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file whole or not at all: temporary name, fsync, rename. Its mode is `mode` less the umask."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb"
        ) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def append_whole(fd: int, data: bytes) -> None:
    """All of `data` or nothing: what a full disk took of it is taken back. Raises OSError."""
    size, view = os.fstat(fd).st_size, memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        os.ftruncate(fd, size)
        raise
