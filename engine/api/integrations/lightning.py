"""The callback for Lightning's Trainer, of `lightning` and of `pytorch_lightning`."""

import os
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from torch import Tensor, nn

from trainconsole.engine.attach.driven import Driven, drive
from trainconsole.engine.attach.driver import Driver
from trainconsole.integrations.extras import imported, is_installed, missing, stays_out
from trainconsole.integrations.lightning_trainer import Asked
from trainconsole.integrations.names import measured, trained

NAME, AGAIN = "Lightning's Trainer", "trainer.fit(..., ckpt_path=...)"
PACKAGES = ("lightning", "pytorch_lightning")
PARTED = ("FSDP", "DeepSpeed", "ModelParallel")


class Watching:
    """One run for each `fit()`. `name`, `runs_dir` and `grad_norm` as for trainconsole.attach."""

    def __init__(
        self, *, name: str = "", runs_dir: str | os.PathLike[str] = "runs", grad_norm: bool = False
    ) -> None:
        self._options: dict[str, Any] = {"name": name, "runs_dir": runs_dir}
        self._run: Driven | None = None
        self._asked: Asked | None = None
        self._measures = grad_norm
        self._norm: Tensor | None = None
        self._known: dict[str, Any] = {}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        parted = type(trainer.strategy).__name__.startswith(PARTED)
        if stays_out(NAME, parted):
            return
        self._known = dict(trainer.callback_metrics)
        self._asked = asked = Asked(trainer)
        driver = Driver(NAME, AGAIN, asked.evaluate, asked.path, asked.save, asked.stop)
        optimizers = list(trainer.strategy.optimizers)
        one = optimizers[0] if len(optimizers) == 1 else optimizers
        self._run = run = drive(driver, model=pl_module, optimizer=one, **self._options)
        if run is not None:
            epochs, batches = trainer.max_epochs or 0, trainer.num_training_batches
            run.plan(steps=asked.steps, epochs=epochs, batches=batches, a_step=asked.accumulated)
            run.begin(at=asked.step, epochs_done=trainer.current_epoch, consumed=0)

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Before Lightning clips."""
        if self._measures:
            found = [
                p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None
            ]
            self._norm = nn.utils.get_total_norm(found) if found else None

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        run, asked = self._run, self._asked
        if run is None or asked is None:
            return
        asked.answered()
        numbers = trained(self._fresh(trainer))
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if loss is not None:
            numbers["loss"] = loss * asked.accumulated
        run.log(**numbers)
        run.batch_done(consumed=batch_idx + 1, norm=self._norm)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if self._run is not None and self._asked is not None and not trainer.sanity_checking:
            self._asked.answered()
            self._run.measured(measured(self._fresh(trainer)), ends_epoch=self._run.loop.ends_epoch)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if self._run is not None:
            self._run.end_epoch()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._over()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._over(exception, signal="SIGTERM" if getattr(trainer, "received_sigterm", False) else "")

    def _over(self, error: BaseException | None = None, signal: str = "") -> None:
        run, self._run = self._run, None
        if run is not None and self._asked is not None:
            run.over(error, saved=self._asked.saved, signal=signal)

    def _fresh(self, trainer: Any) -> dict[str, Any]:
        """What was logged since the last time."""
        known, self._known = self._known, dict(trainer.callback_metrics)
        return {name: value for name, value in self._known.items() if known.get(name) is not value}


@cache
def callback() -> type:
    """Lightning, for those of its two packages that are in use. Raises UserError where none is installed."""
    names = [name for name in PACKAGES if name in sys.modules]
    names = names or [name for name in PACKAGES if is_installed(name)][:1]
    if not names:
        missing("lightning", "lightning")
    bases = (
        imported(f"{name}.pytorch" if name == "lightning" else name, "lightning").Callback for name in names
    )
    return type("Lightning", (Watching, *bases), {"__module__": "trainconsole.integrations"})
