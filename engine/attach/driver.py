"""A library whose loop is watched and steered in place of a script's own: what can be asked of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.commands import Command, Rewind, SetBatch, SetEpochs, Undo
from trainconsole.engine.reporting.refusals import Refused

Ask = Callable[[], Mapping[str, Any] | None]
"""What a library measures when it is asked; None where it does so later, and says it then."""


@dataclass(frozen=True)
class Driver:
    """`name` is what the loop is called, `again` what is written to go on from one of its checkpoints.
    `save` has it write one, under a name of ours or "" for its own; `path` says where that is, and raises
    Refused. `stop` has it write one and end."""

    name: str
    again: str
    ask: Ask
    path: Callable[[str], str]
    save: Callable[[str], None]
    stop: Callable[[], None]

    def refuse(self, command: Command) -> None:
        """Raises Refused for what only the owner of a loop could do."""
        match command:
            case Undo() | Rewind():
                raise Refused(
                    f"the loop is {self.name}'s, which only goes forward: 'stop' has it write a checkpoint,"
                    f" and {self.again} goes on from there"
                )
            case SetEpochs():
                raise Refused(f"how long it trains is {self.name}'s own; 'stop' ends it earlier")
            case SetBatch():
                raise Refused(f"the batches are those of {self.name}'s loader")

    def refuse_start(self, what: str) -> None:
        """Raises UserError: a run in its loop cannot be started again from here."""
        raise UserError(
            f"this run was in a loop of {self.name}'s, so {what} is not possible from here:\n"
            f"start the script again; {self.again} goes on from a checkpoint of its own"
        )
