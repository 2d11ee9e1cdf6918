"""Progress of a headless run on stderr: a bar on a terminal, a line an epoch elsewhere."""

from typing import IO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from trainconsole.engine.messages import Event, Status
from trainconsole.tui.lines import lines
from trainconsole.tui.plain import rate, seconds
from trainconsole.tui.streams import Stream


class PlainPrinter:
    """One plain line an epoch, and one for whatever else happens."""

    def __init__(self, err: Stream) -> None:
        self._err = err

    def event(self, event: Event) -> None:
        for line in lines(event):
            self._err.write(line + "\n")
        self._err.flush()

    def status(self, status: Status) -> None:
        """Nothing between events: a log file is no terminal."""

    def close(self) -> None:
        self._err.flush()


class LivePrinter:
    """A bar with epoch, step, steps/s, time left, loss, metric and rate; events scroll by above it."""

    def __init__(self, err: Stream) -> None:
        self._console = Console(file=cast(IO[str], err), markup=False, highlight=False, emoji=False)
        self._progress = Progress(
            TextColumn("{task.fields[head]}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[tail]}", markup=False),
            console=self._console,
            auto_refresh=False,
            transient=True,
            expand=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=None, head="starting", tail="")
        self._progress.start()

    def event(self, event: Event) -> None:
        for line in lines(event):
            self._console.print(line, soft_wrap=True)

    def status(self, status: Status) -> None:
        if status.steps and status.stage in ("training", "evaluating", "paused"):
            self._progress.update(
                self._task, completed=status.step, total=status.steps, head=_head(status), tail=_tail(status)
            )
        else:
            self._progress.update(self._task, head=status.stage)
        self._progress.refresh()

    def close(self) -> None:
        self._progress.stop()


def _head(status: Status) -> str:
    stage = "" if status.stage == "training" else f"{status.stage}  "
    return f"{stage}epoch {status.epoch}/{status.epochs}  step {status.step:,}"


def _tail(status: Status) -> str:
    parts = [f"{status.steps_per_second:.0f} it/s", f"{seconds(status.time_left)} left"]
    if status.loss is not None and status.metric is not None:
        parts.append(f"loss {status.loss:.3f}  {status.metric_name} {status.metric:.3f}")
    if "lr" in status.in_force:
        parts.append(f"lr {rate(status.in_force['lr'])}")
    return "  ".join(parts)
