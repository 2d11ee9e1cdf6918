"""A run in a project of W&B, $WANDB_PROJECT or "trainconsole" unless said otherwise; online or offline, as
W&B is set. No torch.

W&B numbers its rows itself, ever upwards; the step is the axis that every curve is drawn over. What is there
is read from W&B's own log on this machine, which a killed mirror leaves behind.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.mirror.facts import Facts
from trainconsole.engine.mirror.tools import wandb_log
from trainconsole.engine.mirror.tools.by_step import ByStep, Chapter
from trainconsole.engine.mirror.tools.lock import Lock

AXIS = "step"
COMMAND = "command"
ENDED = "reason"


def opened(project: str, about: Facts) -> ByStep:
    """Raises UserError where wandb is missing, or nobody is logged in."""
    try:
        import wandb
    except ImportError:
        raise UserError(
            "--to wandb needs the wandb package, which is not installed\npip install 'trainconsole[wandb]'"
        ) from None
    project = project or os.environ.get("WANDB_PROJECT") or "trainconsole"
    lock = Lock(about.run, f"wandb:{project}")
    # A mirror that is started in another directory finds what the one before has written.
    folder = lock.place(Path(os.environ.get("WANDB_DIR") or "."))

    def book(chapter: Chapter) -> WandbBook:
        wandb_log.settle(folder / "wandb", chapter.id)
        kept = wandb_log.kept(folder / "wandb", chapter.id, AXIS)
        return WandbBook(lambda: _begun(wandb, project, folder, chapter), kept)

    return ByStep(about, lock, book, (wandb.errors.Error, OSError))


class WandbBook:
    """Commands and the result are rows too: text by step."""

    def __init__(self, begins: Callable[[], Any], kept: wandb_log.Kept) -> None:
        self._begins = begins
        self._run: Any = None
        self._row = kept.rows
        self.known = kept.newest
        self.said, self.ended = kept.counts.get(COMMAND, 0), kept.counts.get(ENDED, 0)

    def key(self, name: str) -> str:
        return name

    def log(self, step: int, time: float, values: dict[str, Any]) -> None:
        if self._run is None:
            self._run = self._begins()
            self._row = max(self._row, self._run.step)
        # Without `commit` the row stays open until the next one comes, and is lost with the process.
        self._run.log({AXIS: step, "_timestamp": time, **values}, step=self._row, commit=True)
        self._row += 1

    def say(self, number: int, step: int, time: float, line: str) -> None:
        self.log(step, time, {COMMAND: line})

    def end(self, number: int, step: int, time: float, result: dict[str, str]) -> None:
        self.log(step, time, result)

    def flush(self) -> None:
        """W&B's own process writes and sends."""

    def close(self) -> None:
        if self._run is not None:
            self._run.finish()


def _begun(wandb: Any, project: str, folder: Path, chapter: Chapter) -> Any:
    quiet = wandb.Settings(
        console="off", silent=True, disable_git=True, disable_code=True, x_disable_stats=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        project=project,
        id=chapter.id,
        name=chapter.name,
        group=chapter.group,
        config=chapter.config,
        dir=folder,
        resume="allow",
        settings=quiet,
    )
    run.define_metric(AXIS, hidden=True)
    run.define_metric("*", step_metric=AXIS)
    return run
