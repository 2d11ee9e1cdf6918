"""The callback for transformers.Trainer, and for TRL's trainers, which are of its kind."""

import os
from collections.abc import Mapping
from functools import cache
from math import ceil
from typing import Any

from trainconsole.engine.attach.driven import Driven, drive
from trainconsole.engine.attach.driver import Driver
from trainconsole.integrations.extras import imported, stays_out
from trainconsole.integrations.hugging_face_trainer import NAME, Asked
from trainconsole.integrations.names import evaluated, is_number
from trainconsole.integrations.overheard import Overheard, caller

AGAIN = "trainer.train(resume_from_checkpoint=True)"
OURS = ("loss", "grad_norm", "learning_rate", "epoch", "step")
"""What the Trainer logs that is in the record already, of each update, with the rate that was used."""


class Watching:
    """One run for each `train()`. `name`, `runs_dir` as for trainconsole.attach."""

    def __init__(self, *, name: str = "", runs_dir: str | os.PathLike[str] = "runs") -> None:
        self._options: dict[str, Any] = {"name": name, "runs_dir": runs_dir}
        self._run: Driven | None = None
        self._trainer: Any = None
        self._asked: Asked | None = None
        self._losses = Overheard()
        self._norms = Overheard()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._losses.stop()
        self._norms.stop()
        self._trainer = caller(imported("transformers", "transformers").Trainer)
        if stays_out(NAME, bool(args.deepspeed or args.fsdp)):
            return
        self._asked = asked = Asked(self._trainer, args, state, control)
        driver = Driver(NAME, AGAIN, asked.evaluate, asked.path, asked.save, asked.stop)
        self._run = drive(driver, model=kwargs["model"], optimizer=kwargs["optimizer"], **self._options)
        if self._run is not None:
            if self._trainer is not None:
                self._losses.hear(self._trainer, "training_step")
                self._norms.hear(self._trainer.accelerator, "clip_grad_norm_")
            self._begin(self._run, args, state, kwargs.get("train_dataloader"))

    def _begin(self, run: Driven, args: Any, state: Any, loader: Any) -> None:
        """Where it is counted in updates; one that is resumed by the Trainer begins in the middle."""
        updates = ceil(_length(loader) / args.gradient_accumulation_steps)
        run.plan(steps=state.max_steps, epochs=state.num_train_epochs, batches=updates)
        done, consumed = divmod(state.global_step, updates) if updates else (0, state.global_step)
        run.begin(at=state.global_step, epochs_done=done, consumed=consumed)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._run is None:
            return
        if losses := self._losses.taken():
            self._run.log(loss=sum(losses[1:], losses[0]))
        norms = self._norms.taken()
        self._run.batch_done(consumed=self._run.loop.consumed + 1, norm=norms[-1] if norms else None)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._run is not None and self._run.loop.ends_epoch:
            self._run.end_epoch()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        numbers = {name: value for name, value in (logs or {}).items() if is_number(value)}
        if self._run is None or any(name.startswith(("eval_", "train_")) for name in numbers):
            return
        if self._trainer is None:
            self._run.log(**{name: numbers[name] for name in ("loss", "grad_norm") if name in numbers})
        self._run.note(**{name: value for name, value in numbers.items() if name not in OURS})

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        asks = self._asked is not None and self._asked.evaluates
        if self._run is not None and metrics is not None and not asks:
            self._run.measured(evaluated(metrics), ends_epoch=self._run.loop.ends_epoch)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._losses.stop()
        self._norms.stop()
        run, self._run = self._run, None
        if run is not None and self._asked is not None:
            if run.loop.ends_epoch:
                run.end_epoch()
            run.over(saved=self._asked.saved)


def _length(loader: Any) -> float:
    try:
        return len(loader)
    except TypeError:
        return 0


@cache
def callback() -> type:
    """HuggingFace. Raises UserError where transformers is not installed."""
    base = imported("transformers", "transformers").TrainerCallback
    return type("HuggingFace", (Watching, base), {"__module__": "trainconsole.integrations"})
