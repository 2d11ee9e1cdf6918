"""What `trainconsole verify` has measured of a script, for whoever runs it later. No torch.

A small file each in the user's state directory, named by a digest of the script's path and content: a script
that has changed was not measured.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from trainconsole.engine.common import user_dirs
from trainconsole.engine.common.escapes import encodable, harmless
from trainconsole.engine.common.files import read_bytes, replace_file
from trainconsole.engine.config.run import Script
from trainconsole.engine.runs.scripts import spelled

LONGEST = 400
"""Bytes of one."""
MOST = 1024
"""That are kept; the older half goes when there are more."""


def folder() -> Path:
    """Heeds XDG_STATE_HOME."""
    return user_dirs.folder() / "verified"


def remember(script: Script, text: str) -> None:
    """`text`, one line, is the verdict. Where the state directory cannot be written it is forgotten."""
    with contextlib.suppress(OSError):
        where = folder()
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        line = text.encode(errors="replace")[:LONGEST]
        replace_file(where / _key(script), line, mode=0o600)
        _thin_out(where)


def verdict(script: Script) -> str | None:
    """What was measured last, in one line; None where this script, as it is recorded, was not."""
    try:
        return harmless(read_bytes(folder() / _key(script), LONGEST).decode(errors="replace"))
    except OSError:
        return None


def told(script: Script) -> str:
    """That, or how it is measured."""
    return verdict(script) or f"not measured: trainconsole verify -- {harmless(spelled(script))}"


def _key(script: Script) -> str:
    """Without a file (python -m package) the command stands for it, and what git knows."""
    parts = (script.file, script.sha256) if script.file else (script.cwd, *script.command, script.tree)
    return hashlib.sha256("\0".join(encodable(list(parts))).encode(errors="replace")).hexdigest()


def _thin_out(where: Path) -> None:
    files = sorted(os.scandir(where), key=lambda entry: entry.stat(follow_symlinks=False).st_mtime)
    if len(files) > MOST:
        for entry in files[: MOST // 2]:
            os.unlink(entry)
