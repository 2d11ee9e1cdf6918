"""Names in run/checkpoints: which files the program writes, and which of them NAME.pt stands for. No torch.

A file says what it is: last-b0-s000123.pt is of branch 0, step 123. NAME.pt is a link to one; where the disk
knows no links, or a copy of the run followed them, it is a file of its own with the same contents.
"""

import re
from pathlib import Path

from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.record.open_directory import Directory

PATTERN = re.compile(r"([A-Za-z0-9_][\w.-]*)-b(\d+)-s(\d{6,})(?:_\d+)?\.pt", re.ASCII)


class Label(Struct, frozen=True):
    """What the name of a file says: the `name` it was saved for, and its place in the run."""

    name: str
    branch: int
    step: int


def label(file: str) -> Label | None:
    """Of a name that the program gives a checkpoint; None for any other."""
    found = PATTERN.fullmatch(file)
    return Label(found[1], int(found[2]), int(found[3])) if found else None


def stands_for(folder: Directory, name: str) -> str:
    """The file of `folder` that NAME.pt is, in the end; "" where there is none, or only outside of it."""
    file = f"{name}.pt"
    if folder.kind(file) == "a link":
        file = folder.target(file)
        if "/" in file:
            return ""
    return file if folder.kind(file) == "a file" else ""


def names(folder: Directory) -> list[str]:
    """The names that can be asked for: of each NAME.pt that is none of the files labelled above."""
    stems = [file.removesuffix(".pt") for file in folder.names() if file.endswith(".pt") and file[0] != "."]
    return [stem for stem in stems if label(f"{stem}.pt") is None and stands_for(folder, stem)]


def is_free(folder: Directory, name: str) -> bool:
    """Whether NAME.pt may be made to stand for a file: it is not there, or the program has made it."""
    file = f"{name}.pt"
    match folder.kind(file):
        case "":
            return True
        case "a link":
            return label(folder.target(file)) is not None
        case "a file":
            return any(at.name == name for other in folder.names() if (at := label(other)))
        case _:
            return False


def find(run: Path, *wanted: str) -> Path:
    """The file of the first of the `wanted` names that is there. Raises UserError that says which are."""
    there: list[str] = []
    try:
        with Directory(run / "checkpoints") as folder:
            for name in wanted:
                if found := _found(folder, f"{name.removesuffix('.pt')}.pt"):
                    return found
            there = names(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UserError(f"{run / 'checkpoints'}: {error.strerror}") from None
    if not there and wanted[-1] in ("best", "last"):
        raise UserError("no checkpoint was saved yet")
    raise UserError(f"no checkpoint '{wanted[-1]}'; there are: {', '.join(there) or 'none yet'}")


def _found(folder: Directory, file: str) -> Path | None:
    if "/" in file or not folder.kind(file):
        return None
    if found := stands_for(folder, file.removesuffix(".pt")):
        return folder.path / found
    raise UserError(f"{folder.path / file}: {_astray(folder, file)}")


def _astray(folder: Directory, file: str) -> str:
    """Why `file` is no checkpoint."""
    kind = folder.kind(file)
    if kind != "a link":
        return f"it is {kind}, not a file"
    target = folder.target(file)
    if "/" in target:
        return "it is a link out of its folder, which is not followed"
    return f"it is a link to {target}, which is {folder.kind(target) or 'gone'}"


def followed(path: Path) -> Path:
    """The file that `path`, a file in a folder of checkpoints or a NAME.pt there, is in the end.

    Raises UserError where it leads to none, or out of its folder, and OSError as Directory does.
    """
    with Directory(path.parent) as folder:
        if folder.kind(path.name) != "a link":
            return path
        target = folder.target(path.name)
        if "/" in target or folder.kind(target) != "a file":
            raise UserError(f"{path}: {_astray(folder, path.name)}")
        return path.parent / target
