"""A batch of one row: batch norm in training has no spread to divide by, and fails in the middle of a run."""

import torch
from torch import Tensor, nn

from trainconsole.engine.checks.trial_step import shadow
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import blame
from trainconsole.engine.config.run import batches, ends_alone, near
from trainconsole.engine.models.inspection import layer_name
from trainconsole.engine.tensors import memory, torch_internals
from trainconsole.engine.tensors.copies import size_of
from trainconsole.engine.tensors.random_state import generators_kept
from trainconsole.engine.training.trainer import Trainer


def check_batches(trainer: Trainer, batch_size: int) -> None:
    """Raises UserError where batches of `batch_size`, from here on, would leave an epoch without any, or a
    row alone that the model cannot train on; MemoryError where there is none to try that."""
    rows, drop_last = trainer.data.epoch_size, trainer.config.drop_last
    if not batches(rows, batch_size, drop_last=drop_last):
        raise UserError(
            f"batch_size {batch_size} with drop_last: {rows} training rows do not fill one batch\n"
            f"Set a batch_size of at most {rows}, or drop_last = false."
        )
    left = rows - trainer.consumed
    if any(ends_alone(n, batch_size, drop_last=drop_last) for n in {rows, left}):
        why = _on_one_row(trainer)
        if why:
            raise UserError(_words(trainer, batch_size, why))


def _words(trainer: Trainer, batch_size: int, why: str) -> str:
    rows = trainer.data.epoch_size
    if rows == 1:
        return f"there is one training row, and in training {why}\nGive it more data."
    if batch_size == 1:
        return f"batch_size 1: in training {why}\nSet a batch_size of 2 or more."
    here = rows % batch_size == 1
    what = f"the last batch of an epoch ({rows} rows)" if here else "the last batch of this epoch"
    return (
        f"batch_size {batch_size}: {what} has one row, and in training {why}\n"
        f"Set drop_last = true, or another batch_size, as {near(rows, batch_size, rows - trainer.consumed)}."
    )


def _on_one_row(trainer: Trainer) -> str:
    """What fails when the model trains on a single row, "" where nothing does. No trace is left."""
    entered: list[nn.Module] = []
    memory.claim(size_of(trainer.whole.state_dict(), "cpu"))
    with generators_kept(trainer.device), shadow(trainer, trainer.config.optimizer) as found:
        leaves = [module for module in found.model.modules() if next(module.children(), None) is None]
        hooks = [m.register_forward_pre_hook(lambda m, _: entered.append(m)) for m in leaves]
        try:
            _forward(found, trainer.first[0][:1])
        except Exception as error:
            if entered and isinstance(entered[-1], torch_internals.NORMS):
                return f"{layer_name(found.model, entered[-1])} cannot normalise a single row"
            return f"the model fails on a single row: {blame(error)}"
        finally:
            for hook in hooks:
                hook.remove()
    return ""


def _forward(found: Trainer, inputs: Tensor) -> None:
    with torch.no_grad(), found.autocast():
        found.model(inputs)
