"""What a swap of the optimizer would do here: state, learning rate, weight decay. No torch."""

from trainconsole.engine.config.optimizers import FRESH, carried, decay_note
from trainconsole.engine.protocol.commands import SetOptimizer
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.schedule import rate_ahead, rate_plan
from trainconsole.engine.schedule.rate_plan import Position
from trainconsole.tui.state.learning_rate import here, now
from trainconsole.tui.text.format import rate


def name_in_force(status: Status) -> str:
    """The name in the union of optimizers, "" where none is known yet."""
    name = status.in_force.optimizer
    return "import" if ":" in name else name


def effects(status: Status, command: SetOptimizer) -> tuple[tuple[str, str], ...]:
    """(what, in words) of all that the command changes at this step.

    Raises ValueError, with a text for the user, where the rate that it gives cannot be had here.
    """
    source, target = name_in_force(status), str(command.optimizer.__struct_config__.tag)
    lines = [("state", _state(status, source, target, command)), ("rate", _rate(status, command))]
    if note := decay_note(source, target, _number(status.in_force.knobs.get("weight_decay"))):
        lines.append(("decay", note))
    return tuple(lines)


def _state(status: Status, source: str, target: str, command: SetOptimizer) -> str:
    had = _number(status.in_force.parameters.get("momentum"))
    has = getattr(command.optimizer, "momentum", 0.0)
    kept = carried(source, target, had=had, has=has) if status.step > 0 else FRESH
    return "starts fresh; the weights stay" if kept == FRESH else kept


def rate_now(status: Status) -> float:
    """The rate of the next update, in three digits."""
    return float(f"{now(status):.3g}")


def _rate(status: Status, command: SetOptimizer) -> str:
    if status.plan is None:
        return "the host is still starting: no learning rate yet"
    at, lr, exact = here(status), command.optimizer.lr, "lr" in command.given
    plan = rate_plan.rebase(status.plan, lr, at, exact=exact)
    change = f"{rate(rate_plan.rate(status.plan, at))} → {rate(rate_plan.rate(plan, at))}"
    rises = rate_ahead.rises(plan, at, Position(status.steps, status.epochs))
    if exact:
        return f"{change}, as given; the schedule {rises or 'goes on from there'}"
    name = status.plan.schedule.__struct_config__.tag
    return f"{change}: our default {rate(lr)}, by the {name} schedule" + (f", which {rises}" if rises else "")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
