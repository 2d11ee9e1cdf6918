"""One training step on a shadow of the run, before it begins and before another optimizer takes over.

What fails only in training is found here, and told in words. Copies are trained, and the random generators
put back: no trace is left.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace
from torch import Tensor, nn, optim
from torch.amp import GradScaler

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import blame
from trainconsole.engine.config.optimizers import AnyOptimizer
from trainconsole.engine.data.loading.collate import Batch
from trainconsole.engine.losses import losses
from trainconsole.engine.models.in_place import untouched
from trainconsole.engine.models.inspection import check_outputs, failure
from trainconsole.engine.optim import optimizers
from trainconsole.engine.optim.guard import Guard, build_guard
from trainconsole.engine.tensors import memory, storable
from trainconsole.engine.tensors.copies import size_of
from trainconsole.engine.tensors.random_state import generators_kept, moved, random_state
from trainconsole.engine.training import construction
from trainconsole.engine.training.trainer import Trainer

CLOSURE = (
    "An optimizer whose step() evaluates the loss again, by a closure (LBFGS, SAM), cannot be used here:"
    " choose one whose step() takes nothing."
)


def check_step(trainer: Trainer, optimizer: AnyOptimizer | None = None) -> None:
    """Try one update on the first rows, with `optimizer` in place of the trainer's own where it is given.

    Raises UserError where a step would fail: outputs that differ in training, no gradients, an optimizer that
    needs a closure or refuses the gradients, parameters and buffers that change their shape, a state that a
    checkpoint cannot keep. Raises MemoryError where there is none for it. Notes which generators a step draws
    from.
    """
    memory.claim(_needed(trainer))
    with generators_kept(trainer.device), shadow(trainer, optimizer or trainer.config.optimizer) as found:
        before, drawn = _shapes(found.whole), random_state(trainer.device)
        _step(found, trainer.first)
        _check_same(before, found.whole)
        # What an optimizer keeps is there only after a step.
        storable.check({"model": found.model.state_dict(), "optimizer": found.optimizer.state_dict()})
        after = random_state(trainer.device)
        trainer.draws_others |= moved(drawn, after, ("numpy", "python"))
        trainer.draws |= moved(drawn, after, after.keys())


def check_first(trainer: Trainer) -> str:
    """As `check_step`, before the run begins: "", or what is to be told where there is no memory for it."""
    try:
        check_step(trainer)
    except MemoryError as error:
        trainer.draws = trainer.draws_others = True
        return f"no training step was tried before the run began: for model, gradients and optimizer {error}"
    return ""


@contextmanager
def shadow(trainer: Trainer, optimizer: AnyOptimizer) -> Iterator[Trainer]:
    """A trainer that stands where `trainer` does, with a model, a loss and an optimizer of its own.

    A model that cannot be copied is lent itself, and put back as it was.
    """
    memo: dict[int, Any] = {}
    copies = _copies(trainer, memo)
    if copies is None:
        with untouched(trainer.whole):
            yield _around(trainer, trainer.model, trainer.loss, optimizer, {})
        return
    model, own = copies
    loss = losses.of_copy(trainer.loss, own) if own is not None else trainer.loss
    yield _around(trainer, model, loss, optimizer, memo)


def _needed(trainer: Trainer) -> int:
    """Bytes of the machine that a step on a shadow takes: copies, gradients, two averages of each, as Adam
    has them."""
    moving = [p for p in trainer.whole.parameters() if p.requires_grad]
    return size_of([*trainer.whole.parameters(), *trainer.whole.buffers(), *moving * 3], "cpu")


def _copies(trainer: Trainer, memo: dict[int, Any]) -> tuple[nn.Module, Any] | None:
    """Of the model and of a loss of the user's own; None where there can be none, or is no room for them.

    What torch.compile made is left alone: a copy would be compiled once more.
    """
    if type(trainer.model).__name__ == "OptimizedModule":
        return None
    try:
        copies: tuple[nn.Module, Any] = copy.deepcopy((trainer.model, trainer.loss.own), memo)
    except Exception:
        return None
    return copies


def _around(
    trainer: Trainer, model: nn.Module, loss: losses.Loss, optimizer: AnyOptimizer, memo: dict[int, Any]
) -> Trainer:
    """`trainer` with these; `memo` has the copy of each parameter by the id of the original."""
    groups = [
        {**group, "params": [memo.get(id(p), p) for p in group["params"]]}
        for group in trainer.optimizer.param_groups
    ]
    found = copy.copy(trainer)
    found.model, found.loss, found.whole = model, loss, construction.whole(model, loss)
    decay = trainer.config.regularisation.weight_decay
    found.optimizer = optimizers.build(optimizer, groups, decay, trainer.device)
    found.guard = _Told(build_guard(found.whole, trainer.device, sticky=False), found.whole)
    # A scale of 1: at the usual one the first gradients overflow, and the optimizer is not asked.
    found.scaler = GradScaler(trainer.device.type, init_scale=1.0, enabled=trainer.scaler.is_enabled())
    found.config = replace(trainer.config, optimizer=optimizer)
    return found


def _step(found: Trainer, batch: Batch) -> None:
    """Forward, loss, backward and update, as Trainer.train_step has them."""
    inputs, targets = batch
    with found.autocast():
        outputs = _forward(found.model, inputs)
        check_outputs(outputs, inputs, found.loss.outputs, "in training mode it ")
        loss = found.loss.train(outputs, targets, found.config.regularisation.label_smoothing)
    if not loss.requires_grad:
        raise UserError(
            f"loss {found.loss.name}: its value has no gradient, so nothing can be learned from it\n"
            "Leave out detach(), item(), no_grad() and argmax() between the outputs and the loss."
        )
    if found.guard.admits(loss) is False:
        return
    try:
        found.update(loss)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"model: the backward pass failed: {blame(error)}") from error


def _forward(model: nn.Module, inputs: Tensor) -> Tensor:
    try:
        outputs: Tensor = model(inputs)
    except UserError:
        raise
    except Exception as error:
        raise UserError(failure(model, inputs, "in training mode it ", error)) from error
    return outputs


class _Told:
    """A guard that says of an optimizer why its step failed."""

    def __init__(self, guard: Guard, whole: nn.Module) -> None:
        self._guard, self._whole = guard, whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guard, name)

    def step(self, optimizer: optim.Optimizer, scaler: GradScaler) -> None:
        try:
            self._guard.step(optimizer, scaler)
        except Exception as error:
            name = type(optimizer).__name__
            text = f"optimizer {name}: step() failed: {blame(error)}"
            raise UserError(text + self._remedy(error)) from error

    def _remedy(self, error: Exception) -> str:
        sparse = [n for n, p in self._whole.named_parameters() if p.grad is not None and p.grad.is_sparse]
        if sparse:
            name = sparse[0].partition(".")[2]
            return f"\nThe gradient of '{name}' is sparse: set sparse=False in that layer."
        asked = "closure" in str(error) or "'NoneType' object is not callable" in str(error)
        return f"\n{CLOSURE}" if asked else ""


def _shapes(whole: nn.Module) -> dict[str, tuple[int, ...]]:
    named = [*whole.named_parameters(), *whole.named_buffers()]
    return {name.partition(".")[2]: tuple(tensor.shape) for name, tensor in named}


def _check_same(before: dict[str, tuple[int, ...]], whole: nn.Module) -> None:
    after = _shapes(whole)
    for name, shape in after.items():
        if name not in before:
            raise UserError(
                f"model: '{name}' appeared in the first training step, and is neither trained nor saved\n"
                "Make parameters and buffers in __init__, with their final shape."
            )
        if before[name] != shape:
            raise UserError(
                f"model: '{name}' changed its shape in a training step, from {before[name]} to {shape}:"
                " a checkpoint of it could not be loaded\n"
                "Give it its final shape in __init__, and a count of what is filled."
            )
    gone = next((name for name in before if name not in after), None)
    if gone is not None:
        raise UserError(f"model: '{gone}' was gone after a training step: a checkpoint could not be loaded")
