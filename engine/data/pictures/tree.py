"""The files below a folder of pictures: which are pictures, and which are left out. No torch."""

import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trainconsole.engine.common.errors import UserError

JUNK = {"__macosx", "@eadir", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "lost+found"}
"""What systems leave behind, in lower case; so is all that begins with a dot."""

NAMED = 5
"""How many names are listed before the rest is counted."""


@dataclass
class Tree:
    """Files of these endings are pictures; the others are counted by ending."""

    root: Path
    endings: Collection[str]
    left: Counter[str] = field(default_factory=Counter)
    loose: int = 0

    def pictures(self, folder: str) -> list[str]:
        """In torchvision's order, links to folders followed, each folder once."""
        found = []
        for place, names in sorted(self._places(folder)):
            found += [os.path.join(place, name) for name in self._chosen(sorted(names))]
        return found

    def subfolders(self, folder: str) -> dict[str, str]:
        """Those that are not junk, by name, sorted."""
        return {e.name: e.path for e in self._entries(folder) if e.is_dir() and not is_junk(e.name)}

    def count_loose(self, *folders: str) -> None:
        """Pictures directly in one of these, where only folders count."""
        self.loose = sum(self._is_picture(e.name) for f in folders for e in self._entries(f) if e.is_file())

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise self._unreadable(folder, error) from None

    def holds_pictures(self, folder: str) -> bool:
        return any(self._is_picture(name) for _, names in self._places(folder) for name in names)

    def _places(self, folder: str) -> Iterator[tuple[str, list[str]]]:
        """`folder` and what is below it, but for junk, each with its files."""
        seen = set()
        for place, inner, names in os.walk(folder, onerror=self._fail, followlinks=True):
            real = os.path.realpath(place)
            inner[:] = [] if real in seen else sorted(name for name in inner if not is_junk(name))
            if real not in seen:
                seen.add(real)
                yield place, names

    def _is_picture(self, name: str) -> bool:
        return not is_junk(name) and _ending(name) in self.endings

    def _chosen(self, names: list[str]) -> Iterator[str]:
        for name in names:
            if self._is_picture(name):
                yield name
            elif not is_junk(name):
                self.left[_ending(name) or "without an ending"] += 1

    def _fail(self, error: OSError) -> None:
        raise self._unreadable(error.filename, error)

    @staticmethod
    def _unreadable(folder: str, error: OSError) -> UserError:
        return UserError(f"data.path: {as_text(folder)}: cannot be read: {error.strerror}")


def is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in JUNK


def as_text(name: str | os.PathLike[str]) -> str:
    """A name as valid text: bytes that are no UTF-8 as \\xe9."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def left_out(left: Counter[str]) -> str:
    """12 .heic, 3 .txt; the most frequent first."""
    named = [f"{count:,} {as_text(ending)}" for ending, count in left.most_common(NAMED)]
    more = sum(left.values()) - sum(count for _, count in left.most_common(NAMED))
    text = ", ".join(named) + (f" and {more:,} others" if more else "")
    heic = any(ending in left for ending in (".heic", ".heif"))
    return text + (" (pip install pillow-heif reads them)" if heic else "")


def listed(names: Collection[str]) -> str:
    """a, b, c and 4 more"""
    shown = ", ".join(as_text(name) for name in list(names)[:NAMED])
    return shown + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


def counted(number: int, kind: str = "") -> str:
    """1 picture, 1,234 pictures; `kind` comes before the word."""
    return f"{number:,} {kind}picture" + ("" if number == 1 else "s")


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()
