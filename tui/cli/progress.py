"""Progress of a headless run on stderr: a bar on a terminal, a line an epoch elsewhere."""

from typing import IO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from trainconsole.engine.common.escapes import harmless
from trainconsole.engine.protocol.events import Event
from trainconsole.engine.protocol.status import Status
from trainconsole.tui.cli.streams import Stream
from trainconsole.tui.text.event_lines import lines
from trainconsole.tui.text.format import rate, seconds

LEAST_BAR = 8
SPARE = 2
"""Cells left free at the right edge: the ^C that a terminal echoes would else break the line in two."""
TERSE = {"accuracy": "acc"}


class PlainPrinter:
    """One plain line an epoch, and one for whatever else happens."""

    def __init__(self, err: Stream) -> None:
        self._err = err

    def event(self, event: Event) -> None:
        for line in lines(event):
            self._err.say(line)
        self._err.flush()

    def status(self, status: Status) -> None:
        """Nothing between events: a log file is no terminal."""

    def say(self, line: str) -> None:
        self._err.say(line)
        self._err.flush()

    def close(self) -> None:
        self._err.flush()


class LivePrinter:
    """A bar with epoch, step, steps/s, time left, loss, metric and rate; events scroll by above it."""

    def __init__(self, err: Stream) -> None:
        self._console = Console(file=cast(IO[str], err), markup=False, highlight=False, emoji=False)
        self._bar = BarColumn(bar_width=LEAST_BAR)
        self._progress = Progress(
            TextColumn("{task.fields[head]}", markup=False),
            self._bar,
            TextColumn("{task.fields[tail]}", markup=False),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=None, head="starting", tail="")
        self._progress.start()

    def event(self, event: Event) -> None:
        for line in lines(event, self._console.width):
            self._console.print(line, soft_wrap=True)

    def say(self, line: str) -> None:
        self._console.print(harmless(line), soft_wrap=True)

    def status(self, status: Status) -> None:
        room = self._console.width - SPARE
        head: str = status.stage
        tail, steps = "", None
        if status.steps and status.stage in ("training", "evaluating", "paused"):
            head, tail = texts(status, room - LEAST_BAR - 2)
            steps = status.steps
        # An empty cell still takes one column.
        self._bar.bar_width = max(LEAST_BAR, room - len(head) - max(1, len(tail)) - 2)
        self._progress.update(self._task, completed=status.step, total=steps, head=head, tail=tail)
        self._progress.refresh()

    def close(self) -> None:
        self._progress.stop()


def texts(status: Status, room: int) -> tuple[str, str]:
    """What stands before and after the bar: the longest form that takes at most `room` cells in all."""
    long, short = (" steps/s", " left", status.metric_name), ("/s", "", TERSE.get(status.metric_name))
    forms = [
        (_head(status, total=True), _tail(status, *long)),
        (_head(status, total=False), _tail(status, *long)),
        (_head(status, total=False), _tail(status, *short)),
    ]
    return next((form for form in forms if len(form[0]) + len(form[1]) <= room), _shortest(status, room))


def _shortest(status: Status, room: int) -> tuple[str, str]:
    """Numbers with as few words as can be, cut at the end where even that is too long."""
    head = f"{status.epoch}/{status.epochs}  {status.step:,}"
    tail = _tail(status, "/s", "", TERSE.get(status.metric_name))
    return head, tail[: max(0, room - len(head))].rstrip()


def _head(status: Status, *, total: bool) -> str:
    stage = "" if status.stage == "training" else f"{status.stage}  "
    steps = f"{status.step:,}/{status.steps:,}" if total else f"{status.step:,}"
    return f"{stage}epoch {status.epoch}/{status.epochs}  step {steps}"


def _tail(status: Status, speed: str, left: str, metric: str | None) -> str:
    parts = [f"{status.steps_per_second:.0f}{speed}", f"{seconds(status.time_left)}{left}"]
    if status.loss is not None and status.metric is not None:
        name = metric or status.metric_name
        parts.append(f"loss {status.loss:.3f}  {name} {status.metric:.3f}")
    if status.in_force.lr is not None:
        parts.append(f"lr {rate(status.in_force.lr)}")
    return "  ".join(parts)
