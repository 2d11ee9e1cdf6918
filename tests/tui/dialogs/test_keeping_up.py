from collections.abc import Callable

import pytest
from support.piloting import Over, pilot, screen_text
from support.statuses import status
from textual.pilot import Pilot

from trainconsole.tui.dialogs.base import Dialog
from trainconsole.tui.dialogs.optimizer import OptimizerScreen
from trainconsole.tui.dialogs.prompt import PromptScreen
from trainconsole.tui.dialogs.regularise import RegulariseScreen
from trainconsole.tui.dialogs.schedule import ScheduleScreen

DIALOGS: list[Callable[[], Dialog[tuple[str, ...]]]] = [
    lambda: OptimizerScreen(status()),
    lambda: ScheduleScreen(status()),
    lambda: RegulariseScreen(status()),
    lambda: PromptScreen("batch size", "batch ", status=status()),
]


@pytest.mark.parametrize("make", DIALOGS, ids=["optimizer", "schedule", "regularise", "prompt"])
def test_a_status_before_there_are_widgets_and_after_they_are_gone(make):
    dialog = make()

    class Early(Over):
        def on_mount(self) -> None:
            super().on_mount()
            assert self.screen is dialog
            dialog.keep_up(status(step=501))

    app = Early(dialog)

    async def steps(driver: Pilot[None]) -> None:
        assert str(dialog.border_title or dialog.heading) in screen_text(app)
        dialog.keep_up(status(step=502))
        await driver.press("escape")
        dialog.keep_up(status(step=503))
        await driver.pause()
        assert app.results == [()]

    pilot(app, (120, 40), steps)
