"""What each command does to a Trainer, with the effective values read back before and after."""

from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from msgspec.structs import replace

from trainconsole.engine import messages, optimizers, schedules
from trainconsole.engine.config import EarlyStopping, Regularisation
from trainconsole.engine.errors import UserError
from trainconsole.engine.grammar import spell
from trainconsole.engine.messages import Command
from trainconsole.engine.reading import decode_part, without_none
from trainconsole.engine.swap import swap
from trainconsole.engine.tasks import METRICS
from trainconsole.engine.trainer import Trainer


class Refused(Exception):
    """The command cannot take effect here; the text is the reason. The trainer is as it was."""


@dataclass(frozen=True)
class Effect:
    """The values that a command touches, before it and after it."""

    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    note: str = ""


@singledispatch
def apply(command: Command, trainer: Trainer) -> Effect:
    """Carry out a command that changes training. Raises Refused."""
    raise Refused(f"{type(command).__name__} is not for the trainer")


@apply.register
def _(command: messages.Lr, trainer: Trainer) -> Effect:
    before = _rate(trainer)
    value = command.value if command.value is not None else before["lr"] * (command.factor or 0.0)
    if not 0 < value <= 100:
        raise Refused(f"a learning rate of {value:g} is not above 0 and at most 100")
    try:
        trainer.plan = schedules.set_rate(trainer.plan, value, trainer.position)
    except ValueError as error:
        raise Refused(str(error)) from None
    constant = trainer.config.schedule.__struct_config__.tag == "constant"
    note = "" if constant else "the rest of the schedule is multiplied with it"
    return Effect(before, _rate(trainer), note)


@apply.register
def _(command: messages.SetSchedule, trainer: Trainer) -> Effect:
    before = _schedule(trainer)
    _check_metric(trainer, getattr(command.schedule, "metric", None))
    trainer.plan = schedules.change(trainer.plan, command.schedule, trainer.position, trainer.end)
    trainer.config = replace(trainer.config, schedule=command.schedule)
    return Effect(before, _schedule(trainer))


@apply.register
def _(command: messages.SetOptimizer, trainer: Trainer) -> Effect:
    before = _optimizer(trainer)
    given = "lr" in command.given
    try:
        plan = schedules.rebase(trainer.plan, command.optimizer.lr, trainer.position, exact=given)
    except ValueError as error:
        raise Refused(str(error)) from None
    decay = trainer.config.regularisation.weight_decay
    try:
        trainer.optimizer, note = swap(
            trainer.optimizer, trainer.config.optimizer, command.optimizer, decay, trainer.device
        )
    except UserError as error:
        raise Refused(str(error)) from None
    trainer.guard.clear()
    trainer.config = replace(trainer.config, optimizer=command.optimizer)
    trainer.plan = plan
    return Effect(before, _optimizer(trainer), note)


@apply.register
def _(command: messages.SetKnob, trainer: Trainer) -> Effect:
    name = command.knob
    before = {name: knobs(trainer)[name]}
    _check_knob(trainer, name)
    try:
        if name == "patience":
            _set_patience(trainer, command.value)
        else:
            _set_regularisation(trainer, name, command.value)
    except UserError as error:
        raise Refused(str(error)) from None
    return Effect(before, {name: knobs(trainer)[name]})


@apply.register
def _(command: messages.SetBatch, trainer: Trainer) -> Effect:
    before = _length(trainer)
    trainer.config = replace(trainer.config, batch_size=command.size)
    trainer.refeed()
    trainer.plan = schedules.stretch(trainer.plan, trainer.position, trainer.end)
    return Effect(before, _length(trainer))


@apply.register
def _(command: messages.SetEpochs, trainer: Trainer) -> Effect:
    begun = trainer.epochs_done + (not trainer.starts_epoch)
    if command.epochs < begun:
        raise Refused(f"epoch {begun} has begun: epochs cannot be below {begun}")
    before = _length(trainer)
    trainer.config = replace(trainer.config, epochs=command.epochs)
    trainer.plan = schedules.stretch(trainer.plan, trainer.position, trainer.end)
    return Effect(before, _length(trainer))


def knobs(trainer: Trainer) -> dict[str, float | None]:
    """The values of the knobs that are in force, by name; None where one is off."""
    regularisation = trainer.config.regularisation
    return {
        "weight_decay": optimizers.effective(trainer.optimizer)["weight_decay"],
        "l1": regularisation.l1,
        "clip.norm": regularisation.clip.norm,
        "clip.value": regularisation.clip.value,
        "dropout": trainer.dropout,
        "label_smoothing": regularisation.label_smoothing,
        "augment": regularisation.augment,
        "patience": trainer.config.early_stopping.patience,
    }


def in_force(trainer: Trainer) -> dict[str, Any]:
    """All that a command can change, read back, for the status."""
    return {**_optimizer(trainer), **_schedule(trainer), **_length(trainer), **knobs(trainer)}


def _rate(trainer: Trainer) -> dict[str, Any]:
    optimizers.set_rate(trainer.optimizer, trainer.rate)
    return {"lr": optimizers.effective(trainer.optimizer)["lr"]}


def _schedule(trainer: Trainer) -> dict[str, Any]:
    return {"schedule": spell(trainer.config.schedule), **_rate(trainer)}


def _optimizer(trainer: Trainer) -> dict[str, Any]:
    rate = _rate(trainer)
    name = spell(trainer.config.optimizer).split()[0]
    return {"optimizer": name, **optimizers.effective(trainer.optimizer), **rate}


def _length(trainer: Trainer) -> dict[str, Any]:
    config = trainer.config
    return {
        "epochs": config.epochs,
        "batch_size": config.batch_size,
        "steps": trainer.end.step,
        **_rate(trainer),
    }


def _check_metric(trainer: Trainer, metric: str | None) -> None:
    """What a schedule looks at must be measured."""
    known = METRICS[trainer.data.task]
    measured = known if trainer.data.val is not None else (known[0], "loss")
    if metric is not None and metric not in measured:
        raise Refused(f"'{metric}' is not measured in this run; {', '.join(measured)} are")


def _check_knob(trainer: Trainer, name: str) -> None:
    if name == "augment" and not trainer.data.images:
        raise Refused("augmentation is for images, and this data has none")
    if name == "label_smoothing" and not trainer.loss.supports_smoothing:
        raise Refused("label smoothing is for classification losses")
    if name == "dropout" and trainer.dropout is None:
        raise Refused("the model has no dropout layer")


def _set_patience(trainer: Trainer, value: float | None) -> None:
    raw = without_none(trainer.config.early_stopping)
    raw["patience"] = int(value) if value is not None and value.is_integer() else value
    stopping = decode_part(raw, EarlyStopping, "early_stopping")
    trainer.config = replace(trainer.config, early_stopping=stopping)


def _set_regularisation(trainer: Trainer, name: str, value: float | None) -> None:
    raw = without_none(trainer.config.regularisation)
    section, _, key = name.rpartition(".")
    part = raw[section] if section else raw
    if value is None:
        part.pop(key, None)
    else:
        part[key] = value
    regularisation = decode_part(raw, Regularisation, "regularisation")
    optimizers.set_weight_decay(trainer.optimizer, regularisation.weight_decay)
    trainer.config = replace(trainer.config, regularisation=regularisation)
    trainer.apply_dropout()
    if name == "augment":
        trainer.refeed()
