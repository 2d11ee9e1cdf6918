"""Travel in a loop that only goes forward: nothing is kept, checkpoints are the library's own."""

from typing import Any

from trainconsole.engine.attach.driven_loop import DrivenLoop
from trainconsole.engine.protocol import commands
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.rewind.rewind import Travel


class OneWay(Travel):
    """Costs no memory and no time, however large the model is."""

    def __init__(self, loop: DrivenLoop, *args: Any) -> None:
        super().__init__(loop, *args)
        self._loop = loop

    def undo(self, request: Request) -> None:
        self._loop.driver.refuse(commands.Undo())

    def rewind(self, command: commands.Rewind, request: Request) -> None:
        self._loop.driver.refuse(command)

    def before_change(self) -> bool:
        return False

    def save_last(self) -> None:
        """Nothing."""

    def save_last_now(self) -> None:
        """Nothing."""

    def save_when_due(self) -> None:
        """Nothing."""

    def save_on_request(self, name: str) -> str:
        return self._loop.save(name)
