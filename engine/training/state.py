"""All that the rest of a run depends on, taken from a trainer and brought back into one."""

from typing import TYPE_CHECKING

import msgspec

from trainconsole.engine.checkpoints.checkpoint import FORMAT
from trainconsole.engine.checkpoints.parts import check_fit, load_optimizer
from trainconsole.engine.checkpoints.schema import TrainingState, Weights
from trainconsole.engine.config.parsing import decode
from trainconsole.engine.tensors.random_state import random_state, set_random_state
from trainconsole.engine.training import position_state
from trainconsole.engine.training.epoch_means import Means

if TYPE_CHECKING:
    from trainconsole.engine.training.trainer import Trainer


def state_of(trainer: "Trainer") -> TrainingState:
    """Its tensors are the live ones, not copies."""
    loss = trainer.loss.module
    return {
        **position_state.state_of(trainer),
        "format": FORMAT,
        "model": trainer.model.state_dict(),
        "loss": loss.state_dict() if loss is not None else {},
        "optimizer": trainer.optimizer.state_dict(),
        "scaler": trainer.scaler.state_dict(),
        "epoch_means": trainer.means.stored(),
        "random": random_state(trainer.device),
        "classes": list(trainer.data.classes),
        "scaling": msgspec.to_builtins(trainer.data.scaling),
        "target_scaling": msgspec.to_builtins(trainer.data.target_scaling),
    }


def bring_back(trainer: "Trainer", state: TrainingState) -> None:
    """All of `state`; the data stays as it is. What does not fit, or has no room in memory, raises before
    anything has changed."""
    config = decode(state["config"])
    found = position_state.read(state, config)
    check_fit(trainer.model, state["model"])
    same = config.optimizer == trainer.config.optimizer
    optimizer = trainer.optimizer if same else trainer.build_optimizer(config)
    load_optimizer(optimizer, state["optimizer"])
    load_weights(trainer, state)
    trainer.config, trainer.optimizer = config, optimizer
    trainer.scaler.load_state_dict(state["scaler"])
    position_state.bring_back(trainer, found)
    trainer.means = Means.of(state, config.batch_size)
    set_random_state(state["random"], trainer.device)
    trainer.guard.clear()
    trainer.apply_dropout()
    trainer.refeed()


def load_weights(trainer: "Trainer", state: Weights) -> None:
    """Those of the model, and of the loss where it has any. Raises RuntimeError where they do not fit."""
    trainer.model.load_state_dict(state["model"])
    if trainer.loss.module is not None and "loss" in state:
        trainer.loss.module.load_state_dict(state["loss"])
