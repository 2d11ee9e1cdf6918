"""A first look at a model's outputs: probabilities in front of a loss that makes some itself, other numbers
where it takes them. Such a pair trains badly, and nothing else says so."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.models import ImportedModel
from trainconsole.engine.data.loading.batches import TensorSource
from trainconsole.engine.losses.losses import Loss
from trainconsole.engine.losses.own_losses import BINARY
from trainconsole.engine.models.inspection import undisturbed
from trainconsole.engine.models.modes import to_evaluation_mode
from trainconsole.engine.tensors.random_state import generators_kept
from trainconsole.engine.training.trainer import Trainer

ROWS = 64
"""Rows of the training part that are looked at, spread over it."""

FACTORS = (1.0, -1.0, 30.0)
"""Inputs times these: logits leave any interval, what a sigmoid gives does not."""

ENDS = {"Sigmoid": "sigmoid", "Softmax": "softmax", "LogSoftmax": "log_softmax"}
RESHAPES = ("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "T", "Transpose", "Clone", "ToCopy")

REMEDIES = {
    "bce": "use loss bce_probabilities, or leave the sigmoid out of the model",
    "BCEWithLogitsLoss": "use BCELoss, or leave the sigmoid out of the model",
    "nll": "end the model in log_softmax, or in nothing",
}
OTHERWISE = "leave it out of the model"
NUMBERS = (
    "the targets are floating-point numbers, and mae is measured; with integers 0 and 1 it would be accuracy"
)


def look(trainer: Trainer) -> tuple[str, ...]:
    """What to tell of the outputs of a user's model, before training. No trace is left.

    Raises UserError where a loss of probabilities is given something else.
    """
    numbers = NUMBERS if trainer.data.task == "regression" and isinstance(trainer.loss.own, BINARY) else ""
    if not isinstance(trainer.config.model, ImportedModel):
        _check_shares(trainer.loss, None)
        return (numbers,) if numbers else ()
    model, inputs = trainer.model, _inputs(trainer)
    with generators_kept(trainer.device), undisturbed(model), trainer.autocast():
        to_evaluation_mode(model)
        first = model(inputs)
        varied = [first.detach().float(), *_varied(model, inputs)]
    _check_shares(trainer.loss, varied[0])
    applied = _applies(trainer.loss)
    end = _end(first) or _seems(varied)
    twice = applied and end and not (end == "log_softmax" and applied == "softmax")
    told = _told(trainer.loss, end, applied, certain=bool(_end(first))) if twice else ""
    return tuple(filter(None, (numbers, told)))


def _inputs(trainer: Trainer) -> Tensor:
    source = trainer.data.train
    if not isinstance(source, TensorSource):
        return trainer.first[0]
    order = torch.linspace(0, source.size - 1, min(ROWS, source.size)).long()
    return next(source.batches(order, 0, ROWS))[0]


def _varied(model: nn.Module, inputs: Tensor) -> Iterator[Tensor]:
    """Outputs for other inputs; a model that takes them for indices may refuse."""
    for factor in FACTORS[1:]:
        try:
            with torch.no_grad():
                yield model(inputs * factor).float()
        except Exception:
            return


def _end(outputs: Tensor) -> str:
    """What the model ends in, by the graph of its outputs: "sigmoid", "softmax", "log_softmax" or ""."""
    node = outputs.grad_fn
    while node is not None:
        name = node.name().rstrip("0123456789").removesuffix("Backward")
        if name in ENDS:
            return ENDS[name]
        if name not in RESHAPES:
            return ""
        node = node.next_functions[0][0]
    return ""


def _seems(varied: list[Tensor]) -> str:
    """The same by values, where all of them say so."""
    if not all(bool(((o >= 0) & (o <= 1)).all()) for o in varied):
        return ""
    several = varied[0].ndim == 2 and varied[0].shape[1] > 1
    sums = several and all(bool(((o.sum(1) - 1).abs() < 1e-3).all()) for o in varied)
    return "softmax" if sums else "sigmoid"


def _applies(loss: Loss) -> str:
    """What the loss makes of outputs itself: "sigmoid", "softmax", or "" where that is not known."""
    if loss.name == "bce" or isinstance(loss.own, nn.BCEWithLogitsLoss):
        return "sigmoid"
    if loss.name in ("cross_entropy", "kl_div", "nll") or isinstance(loss.own, nn.CrossEntropyLoss):
        return "softmax"
    return ""


def _told(loss: Loss, end: str, applied: str, *, certain: bool) -> str:
    kind = type(loss.own).__name__ if loss.own is not None else loss.name
    remedy = REMEDIES.get(kind, OTHERWISE)
    if certain:
        return f"the model ends in {end}, and loss {kind} applies {applied} once more; {remedy}"
    between = "sum to 1" if end == "softmax" else "lie between 0 and 1"
    return (
        f"all outputs that were looked at {between}, and loss {kind} applies {applied}:"
        f" if they are probabilities, {remedy}"
    )


def _check_shares(loss: Loss, outputs: Tensor | None) -> None:
    """`outputs` None: of a model that is built in, which ends in no sigmoid."""
    if not loss.probabilities:
        return
    kind = type(loss.own).__name__ if loss.own is not None else loss.name
    logits = "BCEWithLogitsLoss" if loss.own is not None else "bce"
    if outputs is None:
        raise UserError(
            f"loss {kind}: it takes probabilities, and the models built in give logits\nUse {logits}."
        )
    wrong = outputs[(outputs < 0) | (outputs > 1)]
    if len(wrong):
        raise UserError(
            f"loss {kind}: it takes probabilities from 0 to 1, and the model gives {float(wrong[0]):.4g}\n"
            f"End the model in a sigmoid, or use {logits}."
        )
