"""What each command does to a Trainer, with the effective values read back before and after."""

from functools import singledispatch
from typing import Any

from msgspec.structs import replace

from trainconsole.engine.checks import trial_step
from trainconsole.engine.checks.last_batch import check_batches
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config import limits
from trainconsole.engine.config.parsing import decode_part, without_none
from trainconsole.engine.config.run import EarlyStopping, Regularisation, RunConfig
from trainconsole.engine.config.tasks import METRICS
from trainconsole.engine.models import dropout
from trainconsole.engine.optim import optimizers
from trainconsole.engine.optim.swap import swap
from trainconsole.engine.protocol import commands
from trainconsole.engine.protocol.commands import Command
from trainconsole.engine.protocol.grammar import spell
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.reporting.refusals import Refused
from trainconsole.engine.schedule import rate_ahead, rate_plan
from trainconsole.engine.schedule.early_stopping import Patience
from trainconsole.engine.steering import covers, outlook
from trainconsole.engine.steering.in_force import knobs
from trainconsole.engine.training import watched_metric
from trainconsole.engine.training.trainer import Trainer


@singledispatch
def apply(command: Command, trainer: Trainer) -> Effect:
    """Carry out a command that changes training. Raises Refused."""
    raise Refused(f"{type(command).__name__} is not for the trainer")


@apply.register
def _(command: commands.Lr, trainer: Trainer) -> Effect:
    if command.optimizer:
        raise Refused("a preset has one optimizer: its rate is set without a name, as in 'lr 0.001'")
    before = _rate(trainer)
    value = command.value if command.value is not None else before["lr"] * (command.factor or 0.0)
    if not 0 < value <= 100:
        raise Refused(f"a learning rate of {value:g} is not above 0 and at most 100")
    try:
        trainer.change(plan=rate_plan.set_rate(trainer.plan, value, trainer.position))
    except ValueError as error:
        raise Refused(str(error)) from None
    constant = trainer.config.schedule.__struct_config__.tag == "constant"
    rest = "" if constant else "the rest of the schedule is multiplied with it"
    return Effect(
        before, _rate(trainer), _joined(rest, rate_ahead.rises(trainer.plan, trainer.position, trainer.end))
    )


@apply.register
def _(command: commands.SetSchedule, trainer: Trainer) -> Effect:
    before = _schedule(trainer)
    _within_bounds(trainer, replace(trainer.config, schedule=command.schedule))
    _check_metric(trainer, getattr(command.schedule, "metric", None))
    plan = rate_plan.change(trainer.plan, command.schedule, trainer.position, trainer.end)
    trainer.change(plan=plan, config=replace(trainer.config, schedule=command.schedule))
    return Effect(before, _schedule(trainer), outlook.of(trainer))


@apply.register
def _(command: commands.OwnSchedule, trainer: Trainer) -> Effect:
    raise Refused("'own' is the schedule of a script's own loop; this run has none but schedule NAME")


@apply.register
def _(command: commands.SetOptimizer, trainer: Trainer) -> Effect:
    before = _optimizer(trainer)
    _within_bounds(trainer, replace(trainer.config, optimizer=command.optimizer))
    given = "lr" in command.given
    try:
        plan = rate_plan.rebase(trainer.plan, command.optimizer.lr, trainer.position, exact=given)
    except ValueError as error:
        raise Refused(str(error)) from None
    decay = optimizers.effective(trainer.optimizer)["weight_decay"]
    try:
        optimizer, note = swap(
            trainer.optimizer, trainer.config.optimizer, command.optimizer, decay, trainer.device
        )
        trial_step.check_step(trainer, command.optimizer)
    except UserError as error:
        raise Refused(str(error)) from None
    regularisation = replace(trainer.config.regularisation, weight_decay=decay)
    config = replace(trainer.config, optimizer=command.optimizer, regularisation=regularisation)
    rises = "" if plan == trainer.plan else rate_ahead.rises(plan, trainer.position, trainer.end)
    trainer.change(plan=plan, config=config, optimizer=optimizer)
    return Effect(before, _optimizer(trainer), _joined(note, rises))


@apply.register
def _(command: commands.SetKnob, trainer: Trainer) -> Effect:
    name = command.knob
    before = {name: knobs(trainer)[name]}
    _check_knob(trainer, name)
    best_by, dropped = trainer.metric, tuple(dropout.rates(trainer.model).values())
    try:
        if name == "patience":
            _set_patience(trainer, command.value)
        else:
            _set_regularisation(trainer, name, command.value)
    except UserError as error:
        raise Refused(str(error)) from None
    after = {name: knobs(trainer)[name]}
    kind = str(trainer.config.optimizer.__struct_config__.tag)
    note = _joined(
        f"from now on the best epoch is by {trainer.metric}" if trainer.metric != best_by else "",
        covers.of_knob(name, after[name], kind),
        covers.of_dropout(dropped, dropout.unreached(trainer.model)) if name == "dropout" else "",
        covers.of_patience(after[name], outlook.part(trainer), watched_metric.of_patience(trainer.config))
        if name == "patience"
        else "",
    )
    return Effect(before, after, note)


@apply.register
def _(command: commands.SetBatch, trainer: Trainer) -> Effect:
    before = _length(trainer)
    _within_bounds(trainer, replace(trainer.config, batch_size=command.size))
    try:
        check_batches(trainer, command.size)
    except UserError as error:
        raise Refused(str(error)) from None
    trainer.change(config=replace(trainer.config, batch_size=command.size))
    trainer.refeed()
    trainer.change(plan=rate_plan.stretch(trainer.plan, trainer.position, trainer.end))
    return Effect(before, _length(trainer))


@apply.register
def _(command: commands.SetEpochs, trainer: Trainer) -> Effect:
    begun = trainer.epochs_done + (not trainer.starts_epoch)
    if command.epochs < begun:
        raise Refused(f"epoch {begun} has begun: epochs cannot be below {begun}")
    _within_bounds(trainer, replace(trainer.config, epochs=command.epochs))
    before, note = _length(trainer), ""
    if trainer.out_of_patience and command.epochs > trainer.config.epochs:
        trainer.patience = trainer.patience.given_anew()
        note = "patience, which had run out, is counted anew"
    trainer.change(config=replace(trainer.config, epochs=command.epochs))
    trainer.change(plan=rate_plan.stretch(trainer.plan, trainer.position, trainer.end))
    return Effect(before, _length(trainer), note)


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _rate(trainer: Trainer) -> dict[str, Any]:
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


def _within_bounds(trainer: Trainer, config: RunConfig) -> None:
    try:
        limits.check_change(trainer.config, config, trainer.data.epoch_size)
    except UserError as error:
        raise Refused(str(error)) from None


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
        raise Refused(
            _joined("the model has no dropout layer", covers.unreached(dropout.unreached(trainer.model)))
        )


def _set_patience(trainer: Trainer, value: float | None) -> None:
    raw = without_none(trainer.config.early_stopping)
    raw["patience"] = int(value) if value is not None and value.is_integer() else value
    stopping = decode_part(raw, EarlyStopping, "early_stopping")
    config = replace(trainer.config, early_stopping=stopping)
    if reason := watched_metric.conflict(config):
        raise Refused(reason)
    if trainer.config.early_stopping.patience is None:
        trainer.patience = Patience(metric=watched_metric.of_patience(config))
    trainer.change(config=config)


def _set_regularisation(trainer: Trainer, name: str, value: float | None) -> None:
    raw = without_none(trainer.config.regularisation)
    section, _, key = name.rpartition(".")
    part = raw[section] if section else raw
    if value is not None:
        part[key] = value
    elif key == "weight_decay":
        part[key] = 0.0  # nothing would be the optimizer's own
    else:
        part.pop(key, None)
    regularisation = decode_part(raw, Regularisation, "regularisation")
    _within_bounds(trainer, replace(trainer.config, regularisation=regularisation))
    if name == "weight_decay":
        optimizers.set_weight_decay(trainer.optimizer, regularisation.weight_decay or 0.0)
    trainer.change(config=replace(trainer.config, regularisation=regularisation))
    trainer.apply_dropout()
    if name == "augment":
        trainer.refeed()
