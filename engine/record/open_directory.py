"""A directory of a run, held open: what is done with a name in it stays in it. No torch.

A run directory may come from a stranger, or may have been copied: a link in place of the directory is not
followed, and a name in it is one part of a path.
"""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from trainconsole.engine.common.files import NotRegular, kind_of, open_regular

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)
"""What a disk says that is full or read-only: a link of another kind would not help."""


class Directory:
    """`with Directory(path) as folder:`, made where `make` is set.

    Raises NotRegular where `path` is a link or no directory, and OSError as os.open does.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        self.path = path
        if make and not kind_of(path):
            path.mkdir(exist_ok=True)
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            what = kind_of(path)
            if what in ("", "a directory"):
                raise
            raise NotRegular(path, what, "a directory") from error

    def __enter__(self) -> "Directory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def names(self) -> list[str]:
        """Of all that is in it, sorted."""
        return sorted(os.listdir(self._fd))

    def kind(self, name: str) -> str:
        """As files.kind_of."""
        return kind_of(_one(name), self._fd)

    def stat(self, name: str) -> os.stat_result:
        """Of `name` itself, also where that is a link."""
        return os.lstat(_plain(name), dir_fd=self._fd)

    def target(self, name: str) -> str:
        """What the link `name` says."""
        return os.readlink(_one(name), dir_fd=self._fd)

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """As files.open_regular."""
        return open_regular(_one(name), flags, folder=self._fd)

    def rename(self, old: str, new: str) -> None:
        os.rename(_one(old), _one(new), src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def remove(self, name: str) -> None:
        """Take the file or the link `name` away, if it is there. Raises OSError for a directory."""
        try:
            os.unlink(_one(name), dir_fd=self._fd)
        except FileNotFoundError:
            return

    def point(self, name: str, file: str) -> None:
        """Have `name` stand for `file` beside it, by rename: as a link; where the disk knows none, as another
        name of the same file; where it knows neither, as a copy. Raises OSError; then nothing has changed."""
        draft = f".{name}.{os.getpid()}"
        try:
            self._make(draft, file, (self._symbolic, self._hard, self._copy))
            self.rename(draft, name)
        finally:
            # Renaming one name of a file to another of its names does nothing, and says that it did.
            self.remove(draft)

    def _make(self, draft: str, file: str, ways: tuple[Callable[[str, str], None], ...]) -> None:
        self.remove(draft)
        try:
            ways[0](_plain(draft), _plain(file))
        except OSError as error:
            if len(ways) == 1 or error.errno in NO_ROOM:
                raise
            self._make(draft, file, ways[1:])

    def _symbolic(self, draft: str, file: str) -> None:
        os.symlink(file, draft, dir_fd=self._fd)

    def _hard(self, draft: str, file: str) -> None:
        os.link(file, draft, src_dir_fd=self._fd, dst_dir_fd=self._fd, follow_symlinks=False)

    def _copy(self, draft: str, file: str) -> None:
        new = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(self.open(file), "rb") as source, open(self.open(draft, new), "wb") as copy:
            shutil.copyfileobj(source, copy, 2**20)
            copy.flush()
            os.fsync(copy.fileno())


def _one(name: str) -> Path:
    return Path(_plain(name))


def _plain(name: str) -> str:
    if "/" in name or name in ("", ".", ".."):
        raise OSError(errno.EINVAL, "not the name of a file", name)
    return name
