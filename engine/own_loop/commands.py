"""What each command does to a script's own loop, with the effective values read back before and after."""

from functools import singledispatch
from typing import Any

from torch import optim

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.optimizers import decay_note
from trainconsole.engine.config.parsing import decode_part
from trainconsole.engine.config.run import Regularisation
from trainconsole.engine.config.schedules import ReduceOnPlateau
from trainconsole.engine.optim import optimizers
from trainconsole.engine.own_loop.loop import OwnLoop
from trainconsole.engine.own_loop.settings import OWN
from trainconsole.engine.protocol import commands
from trainconsole.engine.protocol.commands import Command
from trainconsole.engine.protocol.grammar import spell
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.reporting.refusals import Refused
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.curves import spans_run
from trainconsole.engine.schedule.rate_plan import Plan

NOT_HERE = {
    "l1": "the loss is the script's own",
    "label_smoothing": "the loss is the script's own",
    "augment": "the data are the script's own",
    "patience": "when to stop by itself is for the script to say",
}
ZERO = "the script's own rate is 0 here: a factor of it stays 0"


@singledispatch
def apply(command: Command, loop: OwnLoop) -> Effect:
    """Carry out a command that changes training. Raises Refused."""
    raise Refused(f"{type(command).__name__} is not for a script's own loop")


@apply.register
def _(command: commands.Lr, loop: OwnLoop) -> Effect:
    if command.optimizer:
        return _own_rate(command, loop)
    before = _rate(loop)
    now = before["lr"]
    value = command.value if command.value is not None else now * (command.factor or 0.0)
    if not 0 < value <= rate_plan.HIGHEST:
        raise Refused(f"a learning rate of {value:g} is not above 0 and at most {rate_plan.HIGHEST:g}")
    settings = loop.settings
    if settings.plan is not None:
        try:
            settings.plan = rate_plan.set_rate(settings.plan, value / settings.first.factor, loop.position)
        except ValueError as error:
            raise Refused(str(error)) from None
        settings.plan_next(loop.position)
        return Effect(before, _rate(loop))
    own = settings.first.own_rate() * settings.first.factor
    if not own:
        raise Refused(ZERO)
    settings.steering.factor = value / own
    note = (
        ""
        if settings.steering.factor == 1
        else f"the script's own rates times {settings.steering.factor:.6g}"
    )
    return Effect(before, _rate(loop), note)


def _own_rate(command: commands.Lr, loop: OwnLoop) -> Effect:
    """The rate of one of several optimizers; those of the others stay as they are."""
    try:
        one = loop.settings.named(command.optimizer)
    except UserError as error:
        raise Refused(str(error)) from None
    key, now = f"lr {one.name}", one.rate()
    value = command.value if command.value is not None else now * (command.factor or 0.0)
    if not 0 < value <= rate_plan.HIGHEST:
        raise Refused(f"a learning rate of {value:g} is not above 0 and at most {rate_plan.HIGHEST:g}")
    if not now:
        raise Refused(ZERO)
    one.factor *= command.factor if command.factor is not None else value / now
    return Effect({key: now}, {key: one.rate()})


@apply.register
def _(command: commands.SetSchedule, loop: OwnLoop) -> Effect:
    before = _schedule(loop)
    end = loop.end
    if end is None and spans_run(command.schedule):
        raise Refused(
            "how long this run is, is not known: give the schedule its length, or write run.epochs(N)"
        )
    if isinstance(command.schedule, ReduceOnPlateau):
        raise Refused(
            "a plateau of what? the metrics are the script's own: torch's ReduceLROnPlateau does it there"
        )
    settings, at = loop.settings, loop.position
    now = before["lr"] / settings.first.factor
    plan = settings.plan or Plan(schedule=command.schedule, base=now, origin=at)
    base = now or plan.base
    fresh = rate_plan.start(command.schedule, base, at, end or at)
    settings.take_plan(fresh, at)
    return Effect(before, _schedule(loop), "it takes over; 'schedule own' gives the script's back")


@apply.register
def _(command: commands.OwnSchedule, loop: OwnLoop) -> Effect:
    before = _schedule(loop)
    loop.settings.take_plan(None, loop.position)
    return Effect(before, _schedule(loop))


@apply.register
def _(command: commands.SetOptimizer, loop: OwnLoop) -> Effect:
    settings = loop.settings
    before, one = _optimizer(loop), settings.first
    if len(settings.hooked) > 1:
        names = ", ".join(other.name for other in settings.hooked)
        raise Refused(f"this loop has several optimizers ({names}), and a swap is of one")
    if isinstance(one.optimizer, optim.LBFGS):
        raise Refused("LBFGS calls a closure, which another optimizer would not")
    old, new = settings.name_of(one), str(command.optimizer.__struct_config__.tag)
    try:
        taken = settings.swap(one, command.optimizer)
    except UserError as error:
        raise Refused(str(error)) from None
    _take_rate(loop, command.optimizer.lr)
    decay = settings.knobs()["weight_decay"] or 0.0
    note = "; ".join(filter(None, [taken, decay_note(old, new, decay)]))
    return Effect(before, _optimizer(loop), note)


def _take_rate(loop: OwnLoop, rate: float) -> None:
    """The rate of the new optimizer; the rest of the schedule follows in proportion."""
    settings = loop.settings
    if settings.plan is not None:
        settings.plan = rate_plan.rebase(settings.plan, rate, loop.position, exact=False)
        settings.plan_next(loop.position)
    elif own := settings.first.own_rate() * settings.first.factor:
        settings.steering.factor = rate / own


@apply.register
def _(command: commands.SetKnob, loop: OwnLoop) -> Effect:
    name, value = command.knob, command.value
    if name in NOT_HERE:
        raise Refused(f"{name}: {NOT_HERE[name]}")
    before = {name: loop.settings.knobs()[name]}
    if name == "dropout" and before[name] is None:
        raise Refused("no dropout layer is in what was registered")
    _check(name, value)
    _set(loop, name, value)
    return Effect(before, {name: loop.settings.knobs()[name]})


def _check(name: str, value: float | None) -> None:
    section, _, key = name.rpartition(".")
    part: dict[str, Any] = {key: value} if value is not None else {}
    try:
        decode_part({section: part} if section else part, Regularisation, "regularisation")
    except UserError as error:
        raise Refused(str(error)) from None


def _set(loop: OwnLoop, name: str, value: float | None) -> None:
    steering = loop.settings.steering
    match name:
        case "weight_decay":
            if not any("weight_decay" in group for group in loop.settings.first.optimizer.param_groups):
                raise Refused(f"{loop.settings.name_of(loop.settings.first)} has no weight_decay")
            steering.weight_decay = value or 0.0
        case "clip.norm":
            steering.clip_norm = value
        case "clip.value":
            steering.clip_value = value
        case _:
            loop.settings.set_dropout(value)


@apply.register
def _(command: commands.SetBatch, loop: OwnLoop) -> Effect:
    raise Refused("the batches are those of the script's own loader")


@apply.register
def _(command: commands.SetEpochs, loop: OwnLoop) -> Effect:
    if not loop.has_epochs:
        raise Refused("this loop counts its epochs itself: write 'for epoch in run.epochs(N)'")
    if command.epochs < loop.epoch:
        raise Refused(f"epoch {loop.epoch} has begun: epochs cannot be below {loop.epoch}")
    before = _length(loop)
    settings, at = loop.settings, loop.position
    settings.epochs = command.epochs
    if settings.plan is not None and (end := loop.end) is not None:
        settings.plan = rate_plan.stretch(settings.plan, at, end)
        settings.plan_next(at)
    own = "" if settings.plan is not None else f"the script's {OWN} schedule may have been made for fewer"
    return Effect(before, _length(loop), own)


def _rate(loop: OwnLoop) -> dict[str, Any]:
    try:
        return {"lr": loop.settings.first.rate()}
    except UserError as error:
        raise Refused(str(error)) from None


def _schedule(loop: OwnLoop) -> dict[str, Any]:
    plan = loop.settings.plan
    return {"schedule": spell(plan.schedule) if plan is not None else OWN, **_rate(loop)}


def _optimizer(loop: OwnLoop) -> dict[str, Any]:
    rate, settings = _rate(loop), loop.settings
    values = optimizers.effective(settings.first.optimizer)
    values.pop("initial_lr", None)
    return {"optimizer": settings.name_of(settings.first), **values, **rate}


def _length(loop: OwnLoop) -> dict[str, Any]:
    end = loop.end
    return {"epochs": loop.total or 0, "steps": end.step if end else 0, **_rate(loop)}
