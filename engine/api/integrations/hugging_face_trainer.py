"""What is asked of a transformers.Trainer: an evaluation, a checkpoint, an end."""

import os
from collections.abc import Mapping
from typing import Any

from torch import distributed

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.reporting.refusals import Refused
from trainconsole.integrations.names import evaluated

NAME = "the Trainer"


class Asked:
    """Of one `train()`. `saved` is the checkpoint of its end, where it was ended from here; `evaluates` says
    that it evaluates because it was asked to."""

    def __init__(self, trainer: Any, args: Any, state: Any, control: Any) -> None:
        self.saved = ""
        self.evaluates = False
        self._trainer, self._args, self._state, self._control = trainer, args, state, control

    def path(self, name: str) -> str:
        """Raises Refused for a name: it has its own."""
        if name:
            raise Refused(f"{NAME} names its checkpoints itself: 'checkpoint' alone has it write one")
        return os.path.join(self._args.output_dir, f"checkpoint-{self._state.global_step}")

    def save(self, name: str) -> None:
        """When this step is over; before the next one."""
        self._control.should_save = True

    def stop(self) -> None:
        self._control.should_training_stop = self._control.should_save = True
        self.saved = self.path("")

    def evaluate(self) -> Mapping[str, float] | None:
        """Now, also while paused; of several processes together, when this step is over. Raises UserError."""
        if self._trainer is None or self._trainer.eval_dataset is None:
            raise UserError("nothing was evaluated: the Trainer has no eval_dataset")
        if distributed.is_available() and distributed.is_initialized():
            self._control.should_evaluate = True
            return None
        self.evaluates = True
        try:
            return evaluated(self._trainer.evaluate())
        finally:
            self.evaluates = False
