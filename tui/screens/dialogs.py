"""All that opens over a run, in one place: the first frame is there before it is imported."""

from trainconsole.tui.screens.finished import FinishedScreen
from trainconsole.tui.screens.help import HelpScreen
from trainconsole.tui.screens.leave import LeaveScreen
from trainconsole.tui.screens.optimizer import OptimizerScreen
from trainconsole.tui.screens.prompt import PromptScreen
from trainconsole.tui.screens.regularise import RegulariseScreen
from trainconsole.tui.screens.schedule import ScheduleScreen
from trainconsole.tui.screens.stop import StopScreen

__all__ = [
    "FinishedScreen",
    "HelpScreen",
    "LeaveScreen",
    "OptimizerScreen",
    "PromptScreen",
    "RegulariseScreen",
    "ScheduleScreen",
    "StopScreen",
]
