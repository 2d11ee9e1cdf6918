"""The screen of a run on a stage, without a host."""

from typing import Any

from textual.screen import Screen

from support import run_models as sights
from support.feeds import Wire
from support.staging import Steps
from support.staging import stage as staged
from trainconsole.tui.run_screen.screen import RunScreen
from trainconsole.tui.state.run_model import Sight
from trainconsole.tui.widgets.text_lines import Lines

BIG, SMALL = (120, 40), (80, 24)


class Stage:
    """A run at step 900, its screen, and the wire to nobody."""

    def __init__(self, sight: Sight | None = None) -> None:
        self.wire = Wire(sights.RUN)
        self.screen = RunScreen(sight or sights.made(900), self.wire)

    def play(self, steps: Steps, size: tuple[int, int] = BIG) -> object:
        """What the screen was left with."""
        return staged(self.screen, steps, size)

    @property
    def top(self) -> Screen[Any]:
        """The screen that has the keys."""
        top: Screen[Any] = self.screen.app.screen
        return top

    def text(self, name: str) -> str:
        return "\n".join(line.plain for line in self.screen.query_one(f"#{name}", Lines).texts)
