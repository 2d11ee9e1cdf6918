"""A pass over a part of the data in evaluation mode, without gradients."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

from trainconsole.engine.data.loading.batches import Source
from trainconsole.engine.losses.target_shapes import by_rows
from trainconsole.engine.models import modes
from trainconsole.engine.training.metrics import Tally

if TYPE_CHECKING:
    from trainconsole.engine.training.trainer import Trainer


def evaluate(trainer: "Trainer", source: Source, stop: Callable[[], bool]) -> Tally | None:
    """Metrics of all rows of `source`, each once; None where `stop` broke it off."""
    for module in trainer.whole.children():
        modes.to_evaluation_mode(module)
    try:
        with torch.no_grad():
            return _tally(trainer, source, stop)
    finally:
        to_training_mode(trainer.whole)


def to_training_mode(whole: nn.Module) -> None:
    """The model and the loss, as `construction.whole` holds them."""
    for module in whole.children():
        modes.to_training_mode(module)


def _tally(trainer: "Trainer", source: Source, stop: Callable[[], bool]) -> Tally | None:
    data, loss_fn = trainer.data, trainer.loss
    order = torch.arange(source.size)
    tally = Tally(data.task, len(data.classes), trainer.target_scale, trainer.device, loss_fn.threshold)
    for inputs, targets in source.batches(order, 0, trainer.config.evaluation.batch_size):
        if stop():
            return None
        with trainer.autocast():
            outputs = by_rows(trainer.model(inputs), len(inputs))
            loss = loss_fn.evaluate(outputs, targets)
        tally.add(outputs.float(), targets, loss)
    return tally
