"""What is asked of Lightning's Trainer: a validation, a checkpoint, an end; and how long it trains."""

from math import ceil, inf
from pathlib import Path
from typing import Any

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.reporting.refusals import Refused


class Asked:
    """Of one fit. `saved` is the checkpoint of its end, where it was ended from here."""

    def __init__(self, trainer: Any) -> None:
        self.saved = ""
        self._trainer = trainer
        self._automatic = bool(trainer.lightning_module.automatic_optimization)
        self._before: tuple[Any, Any] | None = None

    # --- how long ---

    @property
    def accumulated(self) -> int:
        """Batches of an update."""
        return int(self._trainer.accumulate_grad_batches) if self._automatic else 1

    @property
    def step(self) -> int:
        """Updates so far. Lightning counts those of each optimizer; in one loop they are one of ours."""
        return int(self._trainer.global_step) // self._optimizers

    @property
    def steps(self) -> float:
        """Updates in all; not finite where nobody knows."""
        trainer = self._trainer
        if self._automatic:
            return float(trainer.estimated_stepping_batches)
        most = ceil(trainer.max_steps / self._optimizers) if trainer.max_steps > 0 else inf
        epochs = trainer.max_epochs if (trainer.max_epochs or 0) > 0 else inf
        return float(min(most, trainer.num_training_batches * epochs))

    @property
    def _optimizers(self) -> int:
        return 1 if self._automatic else max(len(self._trainer.optimizers), 1)

    # --- what is asked ---

    def path(self, name: str) -> str:
        """Beside Lightning's own. Raises Refused where it is taken."""
        trainer, own = self._trainer, self._trainer.checkpoint_callback
        folder = Path((own.dirpath if own is not None else None) or trainer.default_root_dir)
        path = folder / f"{name or f'trainconsole-step={trainer.global_step}'}.ckpt"
        if name and path.exists():
            raise Refused(f"{path} is there already: choose another name")
        return str(path)

    def save(self, name: str) -> None:
        self._trainer.save_checkpoint(self.path(name))

    def stop(self) -> None:
        self.saved = self.path("")
        self.save("")
        self._trainer.should_stop = True

    def evaluate(self) -> None:
        """Lightning validates when this batch is over, as it does of itself. Raises UserError."""
        trainer = self._trainer
        if not trainer.enable_validation:
            raise UserError("nothing was evaluated: there is no validation_step, or no loader for it")
        self._before = self._before or (trainer.val_check_batch, trainer.check_val_every_n_epoch)
        trainer.val_check_batch, trainer.check_val_every_n_epoch = 1, 1

    def answered(self) -> None:
        """From here on as it was."""
        if self._before is not None:
            self._trainer.val_check_batch, self._trainer.check_val_every_n_epoch = self._before
            self._before = None
