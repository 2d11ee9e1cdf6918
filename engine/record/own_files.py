"""What in a run directory is the program's own: checked before it is written to, swept, removed. No torch.

Only files that the program names itself are ever removed, and nothing is followed out of the directory.
"""

import os
import re
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import kind_of
from trainconsole.engine.record import scalar_names
from trainconsole.engine.record.checkpoint_names import label
from trainconsole.engine.record.open_directory import Directory

FILES = (
    "config.toml",
    "meta.json",
    "metrics.bin",
    "events.jsonl",
    "trained_rows.bin",
    "init.pt",
    "host.log",
    "verify.json",
    "lock",
)
FOLDERS = ("checkpoints", "undo", "scalars")

DRAFT = re.compile(r"\.(.+)\.\d+", re.ASCII)
"""What a file is called until it is whole; the number is the process that writes it."""

SNAPSHOT = re.compile(r"\d{6,}\.pt", re.ASCII)
"""In undo/."""

RESERVED = ("last", "best")
"""Names of checkpoints that nobody can ask for."""

LINKED = ("a link", "a file")


def check(run: Path) -> None:
    """Raises UserError where a file of the run is none, or one of its folders: a link would lead away."""
    for names, wanted in ((FILES, "a file"), (FOLDERS, "a directory")):
        for name in names:
            if (kind := kind_of(run / name)) not in ("", wanted):
                raise UserError(
                    f"{run / name}: it is {kind}, not {wanted}; nothing is written there.\n"
                    "Put in its place what the run wrote, or remove it"
                )


def sweep(run: Path) -> None:
    """Remove what a session that was killed left: drafts, and snapshots for undo. For who holds the lock."""
    _sweep(run, lambda folder, name: folder.kind(name) == "a file" and _is_draft_of(name, FILES))
    _sweep(run / "checkpoints", _is_checkpoint_draft)
    sweep_undo(run)


def sweep_undo(run: Path) -> None:
    """Remove the snapshots for undo."""
    _sweep(run / "undo", _is_snapshot)
    with suppress(OSError):
        os.rmdir(run / "undo")


def remove(run: Path, wrote: Collection[str]) -> list[str]:
    """Remove a run, but for what is none of its own; returns the names of that, [] where all is gone.

    `wrote` are the files in checkpoints/ that its events tell of. Raises OSError.
    """
    sweep(run)
    _sweep(run / "checkpoints", lambda folder, name: _is_checkpoint(folder, name, wrote), strict=True)
    numbers = scalar_names.files(run).values()
    _sweep(
        run / "scalars", lambda folder, name: folder.kind(name) == "a file" and name in numbers, strict=True
    )
    for name in ("checkpoints", "scalars"):
        with suppress(OSError):
            os.rmdir(run / name)
    # The config goes last: what was interrupted here is still a run.
    for name in sorted(FILES, key=lambda name: name == "config.toml"):
        if kind_of(run / name) in LINKED:
            os.unlink(run / name)
    with suppress(OSError):
        os.rmdir(run)
    return sorted(os.listdir(run)) if run.is_dir() else []


def _sweep(path: Path, belongs: Callable[[Directory, str], bool], *, strict: bool = False) -> None:
    """Remove what `belongs` in the directory at `path`; what is no directory is left alone."""
    if kind_of(path) != "a directory":
        return
    with suppress(*(() if strict else (OSError,))), Directory(path) as folder:
        # All are looked at before the first goes: a link is known by the file that it names.
        for name in [name for name in folder.names() if belongs(folder, name)]:
            folder.remove(name)


def _is_draft_of(name: str, files: Iterable[str]) -> bool:
    found = DRAFT.fullmatch(name)
    return found is not None and found[1] in files


def _is_checkpoint_draft(folder: Directory, name: str) -> bool:
    """Of a file, `.last-b0-s000006.pt.PID`, or of a NAME.pt that was about to stand for one."""
    found = DRAFT.fullmatch(name)
    if found is None:
        return False
    if folder.kind(name) == "a link":
        at = label(folder.target(name))
        return at is not None and at.name == found[1].removesuffix(".pt")
    return folder.kind(name) == "a file" and (
        label(found[1]) is not None or found[1].removesuffix(".pt") in RESERVED
    )


def _is_snapshot(folder: Directory, name: str) -> bool:
    draft = DRAFT.fullmatch(name)
    whole = draft[1] if draft else name
    if folder.kind(name) == "a link":
        return whole in ("newest", "newest.pt") and SNAPSHOT.fullmatch(folder.target(name)) is not None
    return folder.kind(name) == "a file" and SNAPSHOT.fullmatch(whole) is not None


def _is_checkpoint(folder: Directory, name: str, wrote: Collection[str]) -> bool:
    """One that the run wrote, or a NAME.pt that stands for one: a link, or a copy of it. Of `last` and `best`
    some may have no event: the session was killed before it."""
    known = {*RESERVED} | {at.name for file in wrote if (at := label(file))}
    kind = folder.kind(name)
    at = label(folder.target(name) if kind == "a link" else name)
    if kind == "a link":
        return at is not None and at.name in known and name == f"{at.name}.pt"
    ours = name in wrote or name.removesuffix(".pt") in known or (at is not None and at.name in RESERVED)
    return kind == "a file" and name.endswith(".pt") and ours
