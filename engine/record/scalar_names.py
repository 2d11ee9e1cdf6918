"""The names of own numbers, and the file of each: whatever a loop calls them. No torch."""

import hashlib
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path
from urllib.parse import quote

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import harmless
from trainconsole.engine.record.meta import told_scalars

FOLDER = "scalars"
SUFFIX = ".bin"
MOST = 256
"""Names in one run."""
LONGEST = 100
"""Characters of a name."""
LARGEST = 200
"""Bytes of the part before the suffix."""
REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})
FILE = re.compile(r"[A-Za-z0-9_~%-][A-Za-z0-9_~%.-]*\.bin", re.ASCII)


def fault(name: object) -> str:
    """Why nothing can be recorded under `name`, "" where something can."""
    if not isinstance(name, str):
        return f"the name of a number is a string, not {type(name).__name__}"
    if not name:
        return "the name of a number is empty"
    if len(name) > LONGEST:
        return f"the name of a number has {len(name)} characters, at most {LONGEST}: {harmless(name[:40])}..."
    if any(unicodedata.category(char) in REFUSED for char in name):
        return f"the name of a number has a control character or a line end: {harmless(name)}"
    return ""


def check(name: object) -> None:
    """Raises UserError where nothing can be recorded under `name`."""
    if problem := fault(name):
        raise UserError(f"{problem}\nGive it another name, as in run.log(reward=1.5)")


def file_of(name: str, taken: Collection[str]) -> str:
    """The file for a new name: percent-encoded, no hidden one, short enough, and none of those `taken`, also
    where a file system takes upper and lower case for the same."""
    stem = quote(name, safe="")
    if stem.startswith("."):
        stem = f"%2E{stem[1:]}"
    mark = hashlib.sha256(name.encode()).hexdigest()[:16]
    if len(stem) > LARGEST:
        stem = f"{re.sub('%.?$', '', stem[: LARGEST - 20])}~{mark}"
    known = {file.lower() for file in taken}
    return f"{stem}{SUFFIX}" if f"{stem}{SUFFIX}".lower() not in known else f"{stem[:180]}~{mark}{SUFFIX}"


def files(run: Path) -> dict[str, str]:
    """The file in scalars/ of each name that meta.json tells of, in the order of their appearance. What could
    not have been written here is left out; never fails."""
    told = told_scalars(run)
    found: dict[str, str] = {}
    for name, file in told.items() if isinstance(told, dict) else ():
        sound = isinstance(file, str) and len(file) <= 255 and FILE.fullmatch(file) and not fault(name)
        if sound and file not in found.values():
            found[name] = file
        if len(found) == MOST:
            break
    return found
