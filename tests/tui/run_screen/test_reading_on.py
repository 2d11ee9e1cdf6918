"""A record that takes long to read: keys are heard between its pieces."""

from support import run_models as sights
from support.feeds import Wire
from support.staging import stage as staged
from textual.pilot import Pilot

from trainconsole.engine.protocol.events import AnyEvent
from trainconsole.tui.run_screen.screen import RunScreen
from trainconsole.tui.run_screen.screen_result import Left
from trainconsole.tui.state.run_model import Sight


class Endless(Wire):
    """There is always more to read."""

    def __init__(self) -> None:
        super().__init__(sights.RUN)
        self.reads = 0

    def events(self, most: int | None = None) -> list[AnyEvent]:
        self.reads += 1
        return []

    @property
    def told(self) -> bool:
        return False


def test_a_record_without_end_can_be_left() -> None:
    wire = Endless()
    screen = RunScreen(Sight(sights.RUN), wire)

    async def steps(p: Pilot[None]) -> None:
        while wire.reads < 100:
            await p.pause(0.05)
        await p.press("q")
        await p.press("d")

    left = staged(screen, steps, (120, 40))
    assert isinstance(left, Left)
    assert wire.reads >= 100
