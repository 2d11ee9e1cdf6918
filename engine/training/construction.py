"""What a run trains: loss and model, made from its config and tried on its data."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from trainconsole.engine.checkpoints.schema import InitialWeights
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.models import TorchvisionModel
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.data.load import Data
from trainconsole.engine.data.loading.collate import Batch
from trainconsole.engine.losses import losses
from trainconsole.engine.losses.losses import Loss
from trainconsole.engine.losses.target_shapes import check_loss
from trainconsole.engine.models import build
from trainconsole.engine.models.inspection import undisturbed
from trainconsole.engine.models.modes import to_evaluation_mode

ROWS = 3
"""Rows that a model is tried on; not 1, nor as many as there are classes: then shapes fit by chance."""


def build_loss(config: RunConfig, data: Data, device: torch.device) -> Loss:
    """The loss of the run, on `device` where it is a Module. Raises UserError where it does not fit."""
    loss = losses.build(config.loss, data.task, len(data.classes), data.class_weights)
    if config.regularisation.label_smoothing and not loss.supports_smoothing:
        raise UserError(f"regularisation.label_smoothing: not for loss {loss.name}; set it to 0")
    if loss.module is not None:
        loss.module.to(device)
    return loss


def build_model(
    config: RunConfig,
    data: Data,
    loss: Loss,
    batch: Batch,
    device: torch.device,
    initial: InitialWeights | None,
) -> nn.Module:
    """The model of the run on `device`, its weights from `initial` where they fit; `batch` is the first rows.

    Raises UserError where model, loss and data do not fit each other.
    """
    model = build.build(config.model, data.input_shape, loss.outputs)
    if any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers())):
        build.check(model.to(device), batch[0], loss.outputs)
    if initial is not None:
        fresh_head = tuple(initial["classes"]) != data.classes
        build.init_from(model, initial["model"], head=config.model.head, fresh_head=fresh_head)
    if build.uses_channels_last(model, data.input_shape) and config.model.channels_last:
        model = model.to(memory_format=torch.channels_last)
    model = model.to(device)
    build.check(model, batch[0], loss.outputs)
    _try_loss(config, model, loss, batch, device)
    return model


def first_batch(data: Data) -> Batch:
    """The first rows of the training part, on the device: ROWS, or as many as there are."""
    return next(data.train.batches(torch.arange(min(ROWS, data.train.size)), 0, ROWS))


def unprepared(config: RunConfig, data: Data) -> str:
    """That pretrained weights expect what the first images are not; "" where they may be."""
    pretrained = isinstance(config.model, TorchvisionModel) and config.model.weights is not None
    if not pretrained or data.scaling.kind in ("imagenet", "standard") or data.input_shape[0] != 3:
        return ""
    if float(first_batch(data)[0].min()) < 0:
        return ""
    return (
        "the weights of torchvision expect images with ImageNet's mean and deviation taken out, and these"
        " have no value below 0: set data.scaling = 'imagenet', or let the dataset normalise them"
    )


def whole(model: nn.Module, loss: Loss) -> nn.Module:
    """All that has parameters and buffers: the model, and the loss where it is a Module."""
    return nn.ModuleList([model, loss.module] if loss.module is not None else [model])


def parameter_groups(model: nn.Module, loss: Loss, config: RunConfig) -> list[dict[str, Any]]:
    """Those of the model, see build.parameter_groups, and "loss" where a loss has parameters of its own."""
    groups = build.parameter_groups(model, config.model)
    if loss.module is not None:
        models_own = {id(parameter) for parameter in model.parameters()}
        learned = [p for p in loss.module.parameters() if p.requires_grad and id(p) not in models_own]
        if learned:
            groups.append({"params": learned, "lr_factor": 1.0, "name": "loss"})
    return groups


def autocast(config: RunConfig, device: torch.device) -> AbstractContextManager[Any]:
    """For the forward and the loss, in the precision of the config."""
    if config.precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, getattr(torch, config.precision))


def _try_loss(config: RunConfig, model: nn.Module, loss: Loss, batch: Batch, device: torch.device) -> None:
    rows = 2 if loss.outputs == ROWS else ROWS
    inputs, targets = (part[:rows] for part in batch)
    if len(inputs) in (1, loss.outputs):
        return
    with torch.no_grad(), undisturbed(whole(model, loss)), autocast(config, device):
        to_evaluation_mode(model)
        check_loss(loss.evaluate, model(inputs), targets)
