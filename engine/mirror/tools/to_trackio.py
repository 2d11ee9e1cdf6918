"""A run in a project of Trackio on this machine, "trainconsole" unless said otherwise. No torch.

What is there is asked of Trackio's own store, which takes rows in the order in which they are logged.
"""

import contextlib
import io
from typing import Any

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.mirror.facts import Facts
from trainconsole.engine.mirror.tools.by_step import ByStep, Chapter
from trainconsole.engine.mirror.tools.lock import Lock

COMMAND = "command"
ENDED = "reason"
RESERVED = ("project", "run", "timestamp", "step", "time", "metrics")


def opened(project: str, about: Facts) -> ByStep:
    """Raises UserError where trackio is missing, or has no such project."""
    try:
        import trackio
        from trackio.sqlite_storage import SQLiteStorage
    except ImportError:
        raise UserError(
            "--to trackio needs the trackio package, which is not installed\n"
            "pip install 'trainconsole[trackio]'"
        ) from None
    project = project or "trainconsole"
    lock = Lock(about.run, f"trackio:{project}")

    def book(chapter: Chapter) -> TrackioBook:
        logs = SQLiteStorage.get_logs(project, chapter.name, max_points=None)
        return TrackioBook(trackio, project, chapter, logs)

    return ByStep(about, lock, book, (ValueError, OSError))


class TrackioBook:
    """`logs` are the rows that are there, each with its step under "step"."""

    def __init__(self, trackio: Any, project: str, chapter: Chapter, logs: list[dict[str, Any]]) -> None:
        self._trackio, self._project, self._chapter = trackio, project, chapter
        self._run: Any = None
        self.known: dict[str, int] = {}
        for row in logs:
            self.known |= dict.fromkeys(row, int(row["step"]))
        self.said = sum(COMMAND in row for row in logs)
        self.ended = sum(ENDED in row for row in logs)

    def key(self, name: str) -> str:
        """Some names are its own."""
        return f"own/{name}" if name in RESERVED else name

    def log(self, step: int, time: float, values: dict[str, Any]) -> None:
        # It greets on stdout, where the one line of ours belongs.
        with contextlib.redirect_stdout(io.StringIO()):
            if self._run is None:
                self._run = self._begun()
            self._run.log(values, step=step)

    def say(self, number: int, step: int, time: float, line: str) -> None:
        self.log(step, time, {COMMAND: line})

    def end(self, number: int, step: int, time: float, result: dict[str, str]) -> None:
        self.log(step, time, result)

    def flush(self) -> None:
        """It writes on its own, twice a second."""

    def close(self) -> None:
        if self._run is not None:
            with contextlib.redirect_stdout(io.StringIO()):
                self._trackio.finish()

    def _begun(self) -> Any:
        chapter = self._chapter
        return self._trackio.init(
            project=self._project,
            name=chapter.name,
            group=chapter.group,
            config=chapter.config,
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
