"""A script's own loop as a step boundary steers it."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from trainconsole.engine.checkpoints.schema import Kept, Placed, RunState
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.own_loop import commands, numbers
from trainconsole.engine.own_loop.loop import OwnLoop
from trainconsole.engine.own_loop.numbers import METRIC, Update
from trainconsole.engine.protocol.commands import Command
from trainconsole.engine.protocol.events import Trouble
from trainconsole.engine.record.metric_rows import Rows
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.reporting.steered import Numbers


class SteeredLoop(OwnLoop):
    """Meets reporting.steered.Stepped. Nothing is withheld here: the script has made its updates."""

    on_nonfinite = "skip"
    metric_name = METRIC

    def rows(self, steps: Sequence[Update]) -> Rows:
        return numbers.rows(steps)

    def count(self, rows: Rows, steps: Sequence[Update]) -> None:
        for name, column in (("loss", rows["loss"]), (METRIC, rows["metric"])):
            known = column[~np.isnan(column)] if name == METRIC else column
            if len(known):
                total = self.sums.setdefault(name, [0.0, 0.0])
                total[0] += float(known.sum(dtype=np.float64))
                total[1] += len(known)

    def bad(self, rows: Rows, steps: Sequence[Update]) -> Iterable[int]:
        return ()

    def diagnose(self, step: Update) -> Trouble:
        return Trouble(step=step.number, samples=(), layer="the loss")

    def return_to(self, step: Update) -> None:
        """Nothing is withheld: there is nothing to go back to."""

    def apply(self, command: Command) -> Effect:
        return commands.apply(command, self)

    def origin_state(self) -> RunState:
        raise UserError("the state at step 0 was not kept: there is no way back to it")

    def keep_best(self, more: Placed, into: Kept | None) -> None:
        """The script decides what is best."""

    def recover(self) -> bool:
        """What the script was doing when it failed is not known."""
        return False

    def own_numbers(self, steps: Sequence[Update]) -> Mapping[str, Numbers]:
        return numbers.own(steps)
