"""A console that lets go of its run at SIGUSR1 and takes it up again at SIGUSR2: a window with a console and
one without are a second apart, where starting one takes four.

python -m bench.toggled RUN
"""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from trainconsole.tui.app import ConsoleApp
from trainconsole.tui.run_screen.screen import RunScreen

OFF, ON = signal.SIGUSR1, signal.SIGUSR2


class Toggled(ConsoleApp):
    def on_ready(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(OFF, self._let_go)
        loop.add_signal_handler(ON, self._take_up)

    def _let_go(self) -> None:
        """The host has no client then, and nothing is drawn."""
        screen, feed = self._shown()
        screen._deafen(feed)
        feed.close()
        if screen._due is not None:
            screen._due.stop()
            screen._due = None

    def _take_up(self) -> None:
        screen, feed = self._shown()
        with self._context():
            screen._seek(feed)

    def _shown(self) -> tuple[RunScreen, Any]:
        assert isinstance(self.screen, RunScreen)
        return self.screen, self.screen._feed


def _never(path: Path) -> Any:
    raise NotImplementedError


if __name__ == "__main__":
    Toggled(runs_dir=Path("runs"), reopen=_never, path=Path(sys.argv[1])).run(mouse=False)
