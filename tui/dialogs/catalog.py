"""All that opens over a run, in one place: the first frame is there before it is imported."""

from trainconsole.tui.dialogs.curves import CurvesScreen
from trainconsole.tui.dialogs.finished import FinishedScreen
from trainconsole.tui.dialogs.help import HelpScreen
from trainconsole.tui.dialogs.optimizer import OptimizerScreen
from trainconsole.tui.dialogs.prompt import PromptScreen
from trainconsole.tui.dialogs.regularise import RegulariseScreen
from trainconsole.tui.dialogs.schedule import ScheduleScreen
from trainconsole.tui.dialogs.stop import LeaveScreen, StopScreen

__all__ = [
    "CurvesScreen",
    "FinishedScreen",
    "HelpScreen",
    "LeaveScreen",
    "OptimizerScreen",
    "PromptScreen",
    "RegulariseScreen",
    "ScheduleScreen",
    "StopScreen",
]
