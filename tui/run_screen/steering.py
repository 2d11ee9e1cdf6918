"""The keys that steer a run: each asks for a command, or opens the dialog that composes one."""

from collections.abc import Callable, Sequence

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.status import Status
from trainconsole.tui.dialogs.base import Dialog
from trainconsole.tui.dialogs.leave_once import Once
from trainconsole.tui.run_screen.connection import Connection
from trainconsole.tui.run_screen.panes import Panes
from trainconsole.tui.run_screen.screen_result import Left
from trainconsole.tui.state.run_model import Sight

PROMPT = 0.012
"""Seconds that an answer may take before a command is shown as requested: drawing would only delay it."""


class Steering(Once[Left]):
    """The actions of keys.KEYS that steer. A run that is over takes nothing any more, and says so."""

    def __init__(self, sight: Sight) -> None:
        super().__init__()
        self.sight = sight
        self.panes = Panes(self, sight)
        self.connection: Connection | None = None

    def action_send(self, command: str) -> None:
        """Ask for a command; it shows as requested until the host has answered."""
        story = self.sight.story
        try:
            if self.sight.over or self.connection is None:
                raise UserError("the run is over")
            story.request(self.connection.send(command), command)
        except UserError as error:
            story.refuse("", command, str(error))
            self.panes.draw_answers()
        self.set_timer(PROMPT, self._draw_requests)

    def _draw_requests(self) -> None:
        if self.sight.story.waits:
            self.panes.draw_answers()

    def send_all(self, commands: Sequence[str] | None) -> None:
        for command in commands or ():
            self.action_send(command)

    def action_pause(self) -> None:
        self.action_send("resume" if self.sight.stage == "paused" else "pause")

    def action_rate(self) -> None:
        self.ask("lr ", "learning rate")

    def ask(self, start: str, title: str) -> None:
        """Have a command completed, and send it."""
        if self.sight.over:
            self.action_send(start.strip())
            return
        from trainconsole.tui.dialogs import catalog

        self.app.push_screen(catalog.PromptScreen(title, start, status=self.sight.status), self.send_all)

    def action_schedule(self) -> None:
        from trainconsole.tui.dialogs import catalog

        self._choose("schedule", catalog.ScheduleScreen)

    def action_optimizer(self) -> None:
        from trainconsole.tui.dialogs import catalog

        self._choose("optimizer", catalog.OptimizerScreen)

    def action_regularise(self) -> None:
        from trainconsole.tui.dialogs import catalog

        self._choose("set", catalog.RegulariseScreen)

    def action_stop(self) -> None:
        from trainconsole.tui.dialogs import catalog

        self._choose("stop", lambda status: catalog.StopScreen(status, self.sight.story.best))

    def _choose(self, name: str, dialog: Callable[[Status], Dialog[tuple[str, ...]]]) -> None:
        if self.sight.over:
            self.action_send(name)
        else:
            self.app.push_screen(dialog(self.sight.status), self.send_all)

    def action_help(self) -> None:
        from trainconsole.tui.dialogs import catalog

        self.app.push_screen(catalog.HelpScreen())
