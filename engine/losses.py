"""Losses by name: what is minimised, and the same without weights and smoothing for evaluation."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainconsole.engine.choices import L1, AnyLoss, Bce, CrossEntropy, Huber, ImportedLoss, KlDiv, Mse, Nll
from trainconsole.engine.errors import UserError
from trainconsole.engine.imported import call, load_object

Compute = Callable[[Tensor, Tensor, Tensor | None, float], Tensor]
"""(outputs, targets, class weights, label smoothing) -> mean loss."""

FITTING = {
    "classification": ("cross_entropy", "bce", "kl_div", "nll"),
    "regression": ("mse", "l1", "huber"),
}


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
        return Loss(config.target, max(classes, 1), False, None, _imported(config))
    name = str(config.__struct_config__.tag)
    if name not in FITTING[task]:
        raise UserError(
            f"loss.name: {name} is not for {task}\n"
            f"Use one of {', '.join(FITTING[task])}, or a loss of your own."
        )
    if isinstance(config, Bce) and classes != 2:
        raise UserError(f"loss.name: bce is for 2 classes, the data has {classes}\nUse cross_entropy.")
    single = task == "regression" or isinstance(config, Bce)
    return Loss(name, 1 if single else classes, task == "classification", class_weights, _compute(config))


def l1_penalty(parameters: Iterable[Tensor]) -> Tensor:
    """The sum of the magnitudes of the trainable parameters, 0-d; at least one must be trainable."""
    return torch.stack([p.abs().sum() for p in parameters if p.requires_grad]).sum()


def _compute(config: AnyLoss) -> Compute:
    match config:
        case CrossEntropy() | Nll():
            return _cross_entropy
        case Bce():
            return _bce
        case KlDiv():
            return _kl_div
        case Mse():
            return _regression(F.mse_loss)
        case L1():
            return _regression(F.l1_loss)
        case Huber(delta=delta):
            return _regression(lambda outputs, targets: F.huber_loss(outputs, targets, delta=delta))
        case ImportedLoss():
            return _imported(config)


def _cross_entropy(outputs: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
    """nll_loss(log_softmax(x)): log-probabilities pass log_softmax unchanged, so this is `nll` too."""
    return F.cross_entropy(outputs.float(), targets, weights, label_smoothing=smoothing)


def _bce(outputs: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
    """Targets are the class, or the probability of class 1, or (N, 2) probabilities."""
    logits = outputs.float().flatten()
    positive = (targets[:, 1] if targets.ndim == 2 and targets.shape[1] == 2 else targets.flatten()).float()
    smooth = positive * (1 - smoothing) + smoothing / 2 if smoothing else positive
    if weights is None:
        return F.binary_cross_entropy_with_logits(logits, smooth)
    by_row = weights[0] + (weights[1] - weights[0]) * positive
    losses = F.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    return (losses * by_row).sum() / by_row.sum()


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


def _imported(config: ImportedLoss) -> Compute:
    what = f"loss {config.target}"
    function = call(load_object(config.target, "loss.name"), what, **config.args)
    if not callable(function):
        raise UserError(
            f"loss.name: {config.target} returns a {type(function).__name__},"
            " not a callable of (outputs, targets)"
        )

    def compute(outputs: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        if isinstance(function, nn.Module):
            function.to(outputs.device)
        loss = call(function, what, outputs, targets)
        if not isinstance(loss, Tensor):
            raise UserError(f"loss.name: {config.target} gives a {type(loss).__name__}, not a Tensor")
        return loss.mean() if loss.ndim else loss

    return compute
