"""The console as a Textual app: which screen is up, the theme, and the manners of a terminal program."""

import asyncio
import gc
import os
import signal
import termios
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.command import Provider

from trainconsole.engine.common import signals
from trainconsole.engine.common.errors import UserError
from trainconsole.tui.base_app import StyledApp
from trainconsole.tui.run_screen.screen_result import Left

if TYPE_CHECKING:
    from trainconsole.engine.runs.launch import Launch
    from trainconsole.tui.picker.entries import Choice

SIGNALS = {signal.SIGTERM: 143, signal.SIGHUP: 129}
NICE = 10
"""How much the console yields to what trains."""
SETTLED = 1.0
"""Seconds after which the first frame has been drawn."""
GRACE = 2.0
"""Seconds to restore a terminal, which may be gone, after a signal."""


def run_commands() -> type[Provider]:
    """The palette's commands, imported when it is opened."""
    from trainconsole.tui.run_screen.palette import RunCommands

    return RunCommands


class ConsoleApp(StyledApp[Left]):
    """Shows runs; ends with how the last one was left, whose directory is then in `run_path`.

    `launch` is started, or the run at `path` opened; with neither of them a person picks. `prepare` makes a
    launch of a preset's name, `reopen` one that goes on with a run. Both raise UserError.
    """

    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {run_commands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True)
    ]

    def __init__(
        self,
        *,
        runs_dir: Path,
        prepare: "Callable[[str], Launch] | None" = None,
        reopen: "Callable[[Path], Launch]",
        launch: "Launch | None" = None,
        path: Path | None = None,
    ) -> None:
        super().__init__()
        self.run_path: Path | None = None
        self.signalled = 0
        self._runs_dir = runs_dir
        self._prepare = prepare
        self._reopen = reopen
        self._first = launch if launch is not None else path
        # A host is started from a thread that was there before the console began to yield: it would be as
        # nice otherwise. On Linux each thread has a niceness of its own.
        self._starter = ThreadPoolExecutor(1)
        self._starter.submit(os.getpid).result()

    def on_mount(self) -> None:
        if not self.is_headless:
            for number in SIGNALS:
                asyncio.get_running_loop().add_signal_handler(number, self._end, number)
        if self._first is None:
            self._pick()
        elif isinstance(self._first, Path):
            self._open(self._first)
        else:
            self._start(self._first)
        self.set_timer(SETTLED, self._settle)

    def _settle(self) -> None:
        """The first frame is out: yield to what trains, and keep what is there now out of the collector."""
        if not self.is_headless:
            os.nice(NICE)
        gc.enable()
        gc.collect()
        gc.freeze()

    def _pick(self) -> None:
        from trainconsole.tui.picker.screen import PickerScreen

        self.push_screen(PickerScreen(self._runs_dir), self._picked)

    def _picked(self, choice: "Choice | None") -> None:
        from trainconsole.tui.picker.entries import Open, Start

        if choice is None:
            self.exit()
        elif isinstance(choice, Start) and (prepare := self._prepare) is not None:
            self._start_or_say(partial(prepare, choice.preset))
        elif isinstance(choice, Open):
            self._open(choice.run)

    def _start_or_say(self, prepare: "Callable[[], Launch]") -> None:
        try:
            self._start(prepare())
        except UserError as error:
            self.exit(Left("failed start", str(error)))

    def _start(self, launch: "Launch") -> None:
        from trainconsole.engine.host.spawn import start_detached
        from trainconsole.engine.transport import registry
        from trainconsole.tui.state.run_list import still_training

        notice = still_training(registry.live())
        try:
            pid = self._starter.submit(start_detached, launch).result()
        except UserError as error:
            self.exit(Left("failed start", str(error)))
            return
        finally:
            signals.release()
        self._open(launch.path, pid, launch.preset, notice or "")

    def _open(self, run: Path, pid: int | None = None, preset: str = "", notice: str = "") -> None:
        from trainconsole.tui.run_screen.screen import RunScreen
        from trainconsole.tui.state.feed import Feed
        from trainconsole.tui.state.run_model import Sight

        self.run_path = run
        sight = Sight(run, preset)
        if notice:
            sight.story.say(notice)
        self.push_screen(RunScreen(sight, Feed(run, pid)), self._left)

    def _left(self, left: Left | None) -> None:
        run = self.run_path
        if left is not None and left.how == "resume" and run is not None:
            self._start_or_say(partial(self._reopen, run))
        else:
            self.exit(left)

    def _end(self, number: int) -> None:
        """A signal: leave, the terminal as it was; the host is not concerned."""
        self.signalled = SIGNALS[signal.Signals(number)]
        try:
            termios.tcgetattr(0)
        except termios.error:
            os._exit(self.signalled)
        last = threading.Timer(GRACE, os._exit, (self.signalled,))
        last.daemon = True
        last.start()
        self.exit()
