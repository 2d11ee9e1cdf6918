"""Losses by name: what is minimised, and the same without weights and smoothing for evaluation."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.losses import (
    L1,
    AnyLoss,
    Bce,
    BceProbabilities,
    CrossEntropy,
    Huber,
    ImportedLoss,
    KlDiv,
    Mse,
    Nll,
)
from trainconsole.engine.losses import own_losses

BuiltinLoss = CrossEntropy | Bce | BceProbabilities | Mse | L1 | Huber | KlDiv | Nll
Compute = Callable[[Tensor, Tensor, Tensor | None, float], Tensor]
"""(outputs, targets, class weights, label smoothing) -> mean loss."""

FITTING = {
    "classification": ("cross_entropy", "bce", "bce_probabilities", "kl_div", "nll"),
    "regression": ("mse", "l1", "huber"),
}

TAKEN_FOR = {
    "classification": "the targets are taken for classes",
    "regression": "the targets are floating-point numbers",
}
OTHERWISE = {
    "classification": "for regression make the targets floats, y.float() or y.astype('float32').",
    "regression": "for classes make the targets integers, y.long() or y.astype('int64').",
}
"""What to do where the task is not the one that was meant."""


@dataclass(frozen=True)
class Loss:
    """A loss on a model's outputs (N, outputs), or (N,) where `outputs` is 1.

    Targets are int64 (N,), or float (N, classes) that sum to 1, for classification; float (N, 1) or (N,) for
    regression.
    """

    name: str
    outputs: int
    supports_smoothing: bool
    class_weights: Tensor | None
    compute: Compute
    probabilities: bool = False
    """Whether outputs are shares from 0 to 1, and not logits."""
    own: Callable[..., Any] | None = None
    """What the user's own function or class returned."""
    logged: dict[str, Tensor] = field(default_factory=dict)
    """What else the user's own loss of the newest batch came to, 0-d, by name."""

    @property
    def threshold(self) -> float:
        """Where a single output stands for class 1: above it."""
        return 0.5 if self.probabilities else 0.0

    @property
    def module(self) -> nn.Module | None:
        """A loss of the user's own that is a Module: its parameters are trained, its buffers saved."""
        return self.own if isinstance(self.own, nn.Module) else None

    def train(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """The 0-d mean over the batch with class weights and label smoothing in force.

        With class weights it is the weighted mean, as torch's cross_entropy has it. Raises UserError for
        label smoothing where it is not supported, and where the user's own loss fails.
        """
        if label_smoothing and not self.supports_smoothing:
            raise UserError(f"regularisation.label_smoothing: not for loss {self.name}; set it to 0")
        return self.compute(outputs, targets, self.class_weights, label_smoothing)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The 0-d mean over the batch without them, so that values compare across changes of the knobs."""
        return self.compute(outputs, targets, None, 0.0)


def build(config: AnyLoss, task: str, classes: int, class_weights: Tensor | None) -> Loss:
    """The loss for `task`; `class_weights` is float (classes,) on the device of the outputs, or None.

    Raises UserError where the loss does not fit the task, and where the user's own cannot be made.
    """
    if isinstance(config, ImportedLoss):
        if class_weights is not None:
            raise UserError(
                "data.balance: class_weights has no effect on a loss of your own\n"
                "Weigh the classes in it, or use weighted_sampler or oversample."
            )
        return _own(config, classes)
    name = str(config.__struct_config__.tag)
    if name not in FITTING[task]:
        raise UserError(
            f"loss.name: {name} is not for {task}: {TAKEN_FOR[task]}\n"
            f"Use one of {', '.join(FITTING[task])}, or a loss of your own;\n{OTHERWISE[task]}"
        )
    binary = isinstance(config, Bce | BceProbabilities)
    if binary and classes != 2:
        raise UserError(f"loss.name: {name} is for 2 classes, the data has {classes}\nUse cross_entropy.")
    outputs = 1 if task == "regression" or binary else classes
    shares = isinstance(config, BceProbabilities)
    return Loss(name, outputs, task == "classification", class_weights, _compute(config), shares)


def l1_penalty(parameters: Iterable[Tensor]) -> Tensor:
    """The sum of the magnitudes of the trainable parameters, 0-d; at least one must be trainable."""
    return torch.stack([p.abs().sum() for p in parameters if p.requires_grad]).sum()


def _own(config: ImportedLoss, classes: int) -> Loss:
    made = own_losses.make(config)
    outputs, shares = own_losses.outputs_of(made, classes), isinstance(made, nn.BCELoss)
    logged: dict[str, Tensor] = {}
    compute = _computed_by(made, config.target, logged)
    return Loss(config.target, outputs, False, None, compute, shares, made, logged)


def of_copy(loss: Loss, own: Callable[..., Any]) -> Loss:
    """`loss` computed by `own`, a copy of what the user's function or class returned."""
    logged: dict[str, Tensor] = {}
    return replace(loss, own=own, compute=_computed_by(own, loss.name, logged), logged=logged)


def _computed_by(own: Callable[..., Any], target: str, logged: dict[str, Tensor]) -> Compute:
    def compute(outputs: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        return own_losses.mean(own, target, outputs, targets, logged)

    return compute


def _compute(config: BuiltinLoss) -> Compute:
    match config:
        case CrossEntropy() | Nll():
            return _cross_entropy
        case Bce():
            return _binary(F.binary_cross_entropy_with_logits)
        case BceProbabilities():
            return _binary(_of_probabilities)
        case KlDiv():
            return _kl_div
        case Mse():
            return _regression(F.mse_loss)
        case L1():
            return _regression(F.l1_loss)
        case Huber(delta=delta):
            return _regression(lambda outputs, targets: F.huber_loss(outputs, targets, delta=delta))


def _cross_entropy(outputs: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
    """nll_loss(log_softmax(x)): log-probabilities pass log_softmax unchanged, so this is `nll` too."""
    return F.cross_entropy(outputs.float(), targets, weights, label_smoothing=smoothing)


def _binary(loss: Callable[..., Tensor]) -> Compute:
    """Targets are the class, or the probability of class 1, or (N, 2) probabilities."""

    def compute(outputs: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        single = outputs.float().flatten()
        share = own_losses.positive(targets, single)
        smooth = share * (1 - smoothing) + smoothing / 2 if smoothing else share
        if weights is None:
            return loss(single, smooth)
        by_row = weights[0] + (weights[1] - weights[0]) * share
        return (loss(single, smooth, reduction="none") * by_row).sum() / by_row.sum()

    return compute


def _of_probabilities(outputs: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    loss: Tensor = own_losses.of_probabilities(
        lambda p: F.binary_cross_entropy(p, targets, reduction=reduction), outputs
    )
    return loss


def _kl_div(outputs: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
    """KL(targets || softmax(outputs)), "batchmean"; class weights count by the targets' shares."""
    log_q = F.log_softmax(outputs.float(), dim=1)
    soft = targets if targets.is_floating_point() else F.one_hot(targets, outputs.shape[1]).float()
    smooth = soft * (1 - smoothing) + smoothing / outputs.shape[1] if smoothing else soft
    if weights is None:
        return F.kl_div(log_q, smooth, reduction="batchmean")
    by_row = soft @ weights
    return (F.kl_div(log_q, smooth, reduction="none").sum(1) * by_row).sum() / by_row.sum()


def _regression(loss: Callable[[Tensor, Tensor], Tensor]) -> Compute:
    def compute(outputs: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        return loss(outputs.float().flatten(), targets.float().flatten())

    return compute
