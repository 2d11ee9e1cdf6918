"""What is steered of a script that registers nothing: the optimizers that it has stepped."""

from collections.abc import Mapping
from weakref import WeakValueDictionary

from torch import nn, optim

from trainconsole.engine.checkpoints.schema import LoopState
from trainconsole.engine.own_loop.optimizer_hooks import Hooked
from trainconsole.engine.own_loop.registered import Registered
from trainconsole.engine.own_loop.steered_loop import SteeredLoop
from trainconsole.engine.protocol import commands
from trainconsole.engine.protocol.commands import Command
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.reporting.refusals import Refused
from trainconsole.engine.runs.scripts import TWO_LINES
from trainconsole.engine.schedule.curves import spans_run
from trainconsole.engine.tensors.copies import State
from trainconsole.engine.unchanged import modules


class Seen(Registered):
    """The optimizers that were seen, which this does not keep alive."""

    def __init__(self) -> None:
        self.modules = {}
        self.optimizers = WeakValueDictionary()  # type: ignore[assignment]
        self.others = {}
        self._weights = {}


class Saved(Registered):
    """What can be reached of a script now: its optimizers, the modules that own what they train, and
    parameters that are in no module."""

    def __init__(self, optimizers: Mapping[str, optim.Optimizer]) -> None:
        found = modules.found(optimizers.values())
        clash = {name: one for name, one in optimizers.items() if name in found}
        super().__init__({**found, **optimizers, **{f"{name}.optimizer": one for name, one in clash.items()}})
        self.loose = modules.weights(found, dict(optimizers))

    def weights(self) -> State:
        return {**super().weights(), **self.loose}

    def described(self) -> str:
        """What it is, in a few words."""
        told = [f"{name} ({_size(module)})" for name, module in self.modules.items()]
        loose = [f"{len(self.loose)} parameters of no module that was found"] if self.loose else []
        return ", ".join([*told, *loose, *self.optimizers])


def _size(module: nn.Module) -> str:
    return f"{type(module).__name__}, {sum(p.numel() for p in module.parameters()):,} parameters"


class WatchedLoop(SteeredLoop):
    """As a step boundary steers it."""

    def __init__(self, name: str, optimizer: optim.Optimizer, *, grad_norm: bool) -> None:
        seen = Seen()
        seen.optimizers[name] = optimizer
        super().__init__(seen, grad_norm=grad_norm)
        self.has_epochs = False

    def meet(self, name: str, optimizer: optim.Optimizer) -> Hooked:
        """One more optimizer; those that the script has let go of are forgotten."""
        self.forget()
        self.registered.optimizers[name] = optimizer
        return self.settings.hook(name, optimizer)

    def forget(self) -> None:
        hooked = self.settings.hooked
        hooked[:] = [one for one in hooked if not one.is_gone]
        for one in hooked:
            one.first = hooked[0].own_rate

    def reached(self) -> Saved:
        """Goes through all objects. Raises UserError where nothing is alive."""
        return Saved(dict(self.registered.optimizers))

    def state_dict(self) -> LoopState:
        reached, seen = self.reached(), self.registered
        self.registered = reached
        try:
            return super().state_dict()
        finally:
            self.registered = seen

    def apply(self, command: Command) -> Effect:
        match command:
            case commands.SetSchedule(schedule=schedule) if spans_run(schedule):
                raise Refused(
                    f"how long this run is, only the script knows: give the schedule its length; {TWO_LINES}"
                )
            case commands.SetEpochs():
                raise Refused(f"the script counts its epochs itself; {TWO_LINES}")
            case commands.SetKnob(knob="dropout"):
                raise Refused(f"which of its modules train, the script has not said; {TWO_LINES}")
        return super().apply(command)
