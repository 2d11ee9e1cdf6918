"""What commands have set in a script's own loop, and what is therefore in force."""

from typing import Any

import msgspec
from msgspec.structs import replace
from torch import optim

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.optimizers import AnyOptimizer
from trainconsole.engine.models import dropout
from trainconsole.engine.optim import optimizers
from trainconsole.engine.optim.swap import carry
from trainconsole.engine.own_loop.in_place import Kind, become
from trainconsole.engine.own_loop.optimizer_hooks import Hooked, Steering
from trainconsole.engine.own_loop.registered import Registered
from trainconsole.engine.protocol.commands import SetOptimizer
from trainconsole.engine.protocol.grammar import parse, spell
from trainconsole.engine.protocol.status import InForce
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.rate_plan import Plan, Position

OWN = "own"
"""How the script's own schedule is called."""
NAMES = {kind: name for name, kind in optimizers.CLASSES.items()}
KNOBS = ("weight_decay", "clip.norm", "clip.value", "dropout")


class Settings:
    """`plan` is the schedule that has taken over from the script's, None where that is in force; `kinds` are
    the optimizers that commands have put in place of the script's, by the name that each is registered by.
    """

    def __init__(self, registered: Registered, *, grad_norm: bool) -> None:
        self.steering = Steering()
        self.steering.measures_norm = grad_norm
        self.hooked: list[Hooked] = []
        self.plan: Plan | None = None
        self.epochs: int | None = None
        self.dropout: float | None = None
        self.kinds: dict[str, AnyOptimizer] = {}
        self._registered = registered
        self._original: dict[str, Kind] = {}
        for name, one in registered.optimizers.items():
            self.hook(name, one)
        self._original_dropout = {name: dropout.rates(one) for name, one in registered.modules.items()}

    def hook(self, name: str, optimizer: optim.Optimizer) -> Hooked:
        """Steer `optimizer` too, from its next update on."""
        one = Hooked(name, optimizer, self.steering)
        self.hooked.append(one)
        self._original[name] = Kind(optimizer)
        one.first = self.hooked[0].own_rate
        return one

    @property
    def untouched(self) -> bool:
        """Whether no command is in force."""
        steering, changed = self.steering, (self.plan, self.epochs, self.dropout)
        planned = (steering.weight_decay, steering.clip_norm, steering.clip_value)
        factors = {steering.factor, *(one.factor for one in self.hooked)}
        return factors == {1.0} and not self.kinds and all(x is None for x in (*changed, *planned))

    # --- rate ---

    @property
    def first(self) -> Hooked:
        """The optimizer that the rate shown is of. Raises UserError where none is registered."""
        if not self.hooked:
            raise UserError("no optimizer was registered: attach(model=model, optimizer=optimizer)")
        return self.hooked[0]

    def rate(self) -> float | None:
        """Of the next update."""
        return self.first.rate() if self.hooked else None

    def rates(self) -> dict[str, float]:
        """Of each optimizer, by name, where there are several."""
        return {one.name: one.rate() for one in self.hooked} if len(self.hooked) > 1 else {}

    def named(self, name: str) -> Hooked:
        """Raises UserError."""
        for one in self.hooked:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.hooked) or "none"
        raise UserError(f"no optimizer {name} here; there is {known}")

    @property
    def shown_plan(self) -> Plan | None:
        """What the first optimizer's rate follows."""
        if self.plan is None or not self.hooked or self.first.factor == 1.0:
            return self.plan
        return replace(self.plan, scale=self.plan.scale * self.first.factor)

    def take_plan(self, plan: Plan | None, at: Position) -> None:
        """None: the script's own schedule, its rates as they are."""
        self.plan = plan
        self.steering.factor = 1.0
        if plan is None:
            for one in self.hooked:
                one.factor = 1.0
        self.plan_next(at)

    def plan_next(self, at: Position) -> None:
        """The rate of the update that follows `at`, where a schedule of ours is in force."""
        self.steering.planned = rate_plan.rate(self.plan, at) if self.plan is not None else None

    # --- optimizers ---

    def name_of(self, one: Hooked) -> str:
        kind = self.kinds.get(one.name)
        return (
            spell(kind).split()[0]
            if kind is not None
            else NAMES.get(type(one.optimizer), type(one.optimizer).__name__)
        )

    def swap(self, one: Hooked, config: AnyOptimizer) -> str:
        """Another kind of optimizer in the same object; returns what it took over, in words. Its rate and
        weight decay stay as the script has them. Raises UserError as optimizers.build does."""
        kind, state, taken = self._built(one, config)
        self._turn(one, kind, state)
        self.kinds[one.name] = config
        return taken

    def _built(self, one: Hooked, config: AnyOptimizer) -> tuple[Kind, dict[Any, Any], str]:
        old = one.optimizer
        groups = [{"params": group["params"], "lr_factor": 1.0, "name": ""} for group in old.param_groups]
        new = optimizers.build(config, groups, None, self._registered.device)
        names = NAMES.get(type(old), "import"), str(config.__struct_config__.tag)
        taken = carry(names, old, new)
        for group in new.param_groups:
            del group["lr_factor"], group["name"]
        return Kind(new), dict(new.state), taken

    # --- knobs ---

    def set_dropout(self, rate: float | None) -> None:
        self.dropout = rate
        for name, module in self._registered.modules.items():
            dropout.set_rates(module, rate, self._original_dropout[name])

    def knobs(self) -> dict[str, float | None]:
        """Those that there are here, with their values; None where one is off."""
        steering = self.steering
        rates = [rate for one in self._registered.modules.values() for rate in dropout.rates(one).values()]
        decay = steering.weight_decay
        if decay is None and self.hooked:
            decay = self.first.optimizer.param_groups[0].get("weight_decay", 0.0)
        values = (decay, steering.clip_norm, steering.clip_value, max(rates, default=None))
        return dict(zip(KNOBS, values, strict=True))

    def in_force(self, *, epochs: int, batch_size: int, steps: int) -> InForce:
        if not self.hooked:
            return InForce(epochs=epochs, batch_size=batch_size, steps=steps, knobs=self.knobs())
        parameters = optimizers.effective(self.first.optimizer)
        for name in ("lr", "weight_decay", "initial_lr"):
            parameters.pop(name, None)
        return InForce(
            optimizer="+".join(self.name_of(one) for one in self.hooked),
            parameters=parameters,
            lr=self.rate(),
            rates=self.rates(),
            schedule=spell(self.plan.schedule) if self.plan is not None else OWN,
            epochs=epochs,
            batch_size=batch_size,
            steps=steps,
            knobs=self.knobs(),
        )

    # --- state ---

    def state_dict(self) -> dict[str, Any]:
        steering = self.steering
        return {
            "factor": steering.factor,
            "factors": {one.name: one.factor for one in self.hooked},
            "weight_decay": steering.weight_decay,
            "clip_norm": steering.clip_norm,
            "clip_value": steering.clip_value,
            "planned": steering.planned,
            "plan": msgspec.to_builtins(self.plan),
            "epochs": self.epochs,
            "dropout": self.dropout,
            "kinds": {name: f"optimizer {spell(config)}" for name, config in self.kinds.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Before the optimizers' own states are brought back: each is of the kind again that it was."""
        steering = self.steering
        steering.factor, steering.planned = state["factor"], state["planned"]
        factors = state.get("factors", {})
        for one in self.hooked:
            one.factor = factors.get(one.name, 1.0)
        steering.weight_decay = state["weight_decay"]
        steering.clip_norm, steering.clip_value = state["clip_norm"], state["clip_value"]
        self.plan, self.epochs = msgspec.convert(state["plan"], Plan | None), state["epochs"]
        if state["dropout"] != self.dropout:
            self.set_dropout(state["dropout"])
        for one in self.hooked:
            wanted = _config(state["kinds"].get(one.name))
            if wanted != self.kinds.get(one.name):
                self._become(one, wanted)

    def _become(self, one: Hooked, wanted: AnyOptimizer | None) -> None:
        if wanted is None:
            self._turn(one, self._original[one.name], {})
            del self.kinds[one.name]
        else:
            kind, _, _ = self._built(one, wanted)
            self._turn(one, kind, {})
            self.kinds[one.name] = wanted

    def updates(self) -> int:
        """Of all optimizers so far; asked between two of them."""
        count = 0
        for one in self.hooked:
            one.settle()
            count += one.updates
        return count

    def original(self, one: Hooked) -> Kind:
        """What it is in the script."""
        return self._original[one.name]

    def _turn(self, one: Hooked, kind: Kind, state: dict[Any, Any]) -> None:
        become(one.optimizer, kind, state)
        self._registered.swapped(one.name)


def _config(text: str | None) -> AnyOptimizer | None:
    """What a state keeps of a swap."""
    command = parse(text) if text else None
    return command.optimizer if isinstance(command, SetOptimizer) else None
