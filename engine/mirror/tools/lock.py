"""One mirror of a run and a target at a time: an flock in the user's state directory, which also keeps where
the target has put its files. No torch."""

import fcntl
import hashlib
import os
from pathlib import Path

from trainconsole.engine.common import user_dirs
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import open_regular

LONGEST = 4096


class Lock:
    """Raises UserError where another process has it, or there is no such file to be had."""

    def __init__(self, run: Path, to: str) -> None:
        name = hashlib.sha256(os.fsencode(f"{run.resolve()}\n{to}")).hexdigest()[:32]
        file = user_dirs.folder() / "mirrors" / name
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = open_regular(file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UserError(f"{file}: cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise UserError(f"another mirror of {run.name} writes to {to}\nEnd that one first") from None

    def place(self, usual: Path) -> Path:
        """The directory that an earlier mirror was given; `usual` if this is the first."""
        if not (kept := os.pread(self._fd, LONGEST, 0)):
            kept = os.fsencode(usual.absolute())
            os.pwrite(self._fd, kept, 0)
        return Path(os.fsdecode(kept))

    def release(self) -> None:
        os.close(self._fd)
