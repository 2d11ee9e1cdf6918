"""Which files of run/checkpoints stay. Only what this program wrote goes, and of that what nothing names."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from trainconsole.engine.checkpoints.checkpoint import best_named_in
from trainconsole.engine.common.files import kind_of
from trainconsole.engine.protocol.events import AnyEvent, CheckpointSaved
from trainconsole.engine.record.checkpoint_names import label, names, stands_for
from trainconsole.engine.record.open_directory import Directory

KEPT = 2
"""How many of the newest `last` checkpoints stay: one that is damaged has one before it."""


class Keeping:
    """What lies in `directory`, and what may go from it: what this session writes, and of `before`, the files
    that earlier sessions wrote (the oldest first), if nobody has copied them since: where a NAME.pt is no
    link, nothing tells any more what it stood for. Raises NotRegular where the directory is a link."""

    def __init__(self, directory: Path, before: Sequence[str] = ()) -> None:
        self._directory = directory
        self._taken: set[str] = set()
        self._best: dict[str, str] = {}
        self._named: dict[str, str] = {}
        self._ours: list[str] = []
        if kind_of(directory):
            self._look(before)

    def _look(self, before: Sequence[str]) -> None:
        with Directory(self._directory) as folder:
            self._taken = set(folder.names())
            files = [name for name in self._taken if label(name) and folder.kind(name) == "a file"]
            self._named = {name: stands_for(folder, name) for name in names(folder)}
        self._best = {file: best_named_in(self._directory / file) for file in files}
        known = {"best", "last"} | {at.name for file in files if (at := label(file))}
        if all(label(file) for name, file in self._named.items() if name in known):
            self._ours = [file for file in before if file in self._best]

    def name(self, stem: str) -> str:
        """A name for a new file, STEM.pt or STEM_2.pt and so on, that nothing in the directory has."""
        names = (f"{stem}.pt" if n == 1 else f"{stem}_{n}.pt" for n in range(1, 10**6))
        return next(name for name in names if name not in self._taken)

    def add(self, file: str, best: str) -> None:
        """`file` is about to be written; it names `best` as its best."""
        self._taken.add(file)
        self._best[file] = best
        self._ours.append(file)

    def point(self, name: str, file: str) -> None:
        """NAME.pt stands for `file` from now on."""
        self._named[name] = file

    def forget(self, file: str) -> None:
        """It came to nothing."""
        self._taken.discard(file)
        self._best.pop(file, None)
        if file in self._ours:
            self._ours.remove(file)

    def remove_older(self) -> None:
        """Keep the newest two `last`, what a NAME.pt stands for, and the best that any of these knows."""
        with Directory(self._directory) as folder:
            there = [file for file in self._ours if folder.kind(file) == "a file"]
            for file in self._going(there):
                folder.remove(file)
                self.forget(file)

    def _going(self, there: Sequence[str]) -> list[str]:
        lasts = [file for file in there if (at := label(file)) is not None and at.name == "last"]
        kept = set(self._named.values()) | set(lasts[-KEPT:]) | (set(self._best) - set(self._ours))
        kept |= {self._best.get(file, "") for file in kept}
        return [file for file in there if file not in kept]


def written_before(events: Iterable[AnyEvent]) -> list[str]:
    """The files that the sessions of `events` wrote by themselves, the oldest first: `last` and `best`."""
    saved = [event for event in events if isinstance(event, CheckpointSaved) and event.kind != "named"]
    files = [event.path.removeprefix("checkpoints/") for event in saved]
    return list(dict.fromkeys(file for file in files if label(file) is not None))
