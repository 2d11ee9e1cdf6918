"""What a script registers with `attach`: modules, optimizers, schedulers and whatever else has a state."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn, optim

from trainconsole.engine.checkpoints.parts import check_fit, load_optimizer
from trainconsole.engine.checkpoints.schema import LoopState
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.tensors.copies import State, copy_state

WRAPPERS = ("_orig_mod", "module")
"""Where torch.compile and DistributedDataParallel keep the module that they wrap."""
OPTIMIZER_WRAPPERS = ("accelerate", "lightning", "pytorch_lightning")


class Registered:
    """By name. Nothing is wrapped or replaced: these are the script's own objects. Raises UserError for what
    has no state to bring back."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        everything = dict(_named(given))
        for name, thing in everything.items():
            _check(name, thing)
        self.modules = {name: thing for name, thing in everything.items() if isinstance(thing, nn.Module)}
        self.optimizers = {
            name: inside(thing) for name, thing in everything.items() if isinstance(thing, optim.Optimizer)
        }
        self._around = {name: everything[name] for name in self.optimizers}
        known = {*self.modules, *self.optimizers}
        self.others = {name: thing for name, thing in everything.items() if name not in known}
        if not everything:
            raise UserError("attach: give it what is trained, as in attach(model=model, optimizer=optimizer)")
        self._weights = {"model": self.modules["model"]} if "model" in self.modules else dict(self.modules)

    @property
    def device(self) -> torch.device:
        """That of the first parameter."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    def parameters(self) -> Iterator[Tensor]:
        for module in self.modules.values():
            yield from module.parameters()
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                yield from group["params"]

    def weights(self) -> State:
        """The entries of the state dict of `model`, or of each module with its name before them."""
        if [*self._weights] == ["model"]:
            return self._weights["model"].state_dict()
        return {
            f"{name}.{key}": value
            for name, module in self._weights.items()
            for key, value in module.state_dict().items()
        }

    def objects(self) -> dict[str, State]:
        """What else is registered, by name; tensors are the live ones."""
        others = {name: module for name, module in self.modules.items() if name not in self._weights}
        return {name: thing.state_dict() for name, thing in (others | self.optimizers | self.others).items()}

    def swapped(self, name: str) -> None:
        """The optimizer is of another kind. What accelerate puts around it keeps the method of the old one,
        for its GradScaler, and looks for it again where it is unpickled."""
        around = self._around[name]
        if around is not self.optimizers[name] and hasattr(around, "__setstate__"):
            around.__setstate__({})

    def check(self, saved: LoopState) -> None:
        """Raises UserError or Misfit where `saved` is of other objects than these; nothing has changed."""
        known, given = set(self.objects()), set(saved["objects"])
        if known != given:
            lacking = ", ".join(sorted(given - known) or sorted(known - given))
            where = "attach" if given - known else "the saved state"
            raise UserError(
                f"{where} lacks {lacking}: the same objects are to be registered by the same names"
            )
        for name, module in self._weights.items():
            check_fit(module, self._part(name, saved))

    def load_state_dict(self, saved: LoopState) -> None:
        """Bring all of it back, in place. Raises as torch does."""
        self.check(saved)
        for name, module in self._weights.items():
            module.load_state_dict(self._part(name, saved))
        for name, state in saved["objects"].items():
            if name in self.optimizers:
                load_optimizer(self.optimizers[name], state)
            elif name in self.modules:
                self.modules[name].load_state_dict(state)
            else:
                # A scheduler keeps the very lists that it is given.
                self.others[name].load_state_dict(copy_state(state))

    def _part(self, name: str, saved: LoopState) -> State:
        if [*self._weights] == ["model"]:
            return saved["model"]
        return {
            key.removeprefix(f"{name}."): value
            for key, value in saved["model"].items()
            if key.startswith(f"{name}.")
        }


def _named(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each object by a name of its own; a list of them is numbered. None is nothing."""
    for name, thing in given.items():
        if isinstance(thing, list | tuple):
            yield from ((f"{name}_{index}", part) for index, part in enumerate(thing))
        elif thing is not None:
            yield name, unwrapped(thing) if isinstance(thing, nn.Module) else thing


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside those that torch.compile and DistributedDataParallel put around it."""
    wraps = isinstance(module, nn.parallel.DistributedDataParallel | nn.DataParallel)
    inner = getattr(module, "_orig_mod", None) or (getattr(module, "module", None) if wraps else None)
    return unwrapped(inner) if isinstance(inner, nn.Module) else module


def inside(optimizer: Any) -> Any:
    """The optimizer of torch's that accelerate or Lightning have put something around that has no state."""
    wraps = type(optimizer).__module__.partition(".")[0] in OPTIMIZER_WRAPPERS
    inner = getattr(optimizer, "optimizer", None) if wraps else None
    return inside(inner) if isinstance(inner, optim.Optimizer) else optimizer


def _check(name: str, thing: Any) -> None:
    wanted = ("state_dict", "load_state_dict")
    if missing := [method for method in wanted if not callable(getattr(thing, method, None))]:
        raise UserError(
            f"attach({name}=...): a {type(thing).__name__} has no {missing[0]}(), so nothing of it could be"
            " brought back; register what has state_dict() and load_state_dict()"
        )
    lazy = nn.parameter.UninitializedParameter
    if isinstance(thing, nn.Module) and any(isinstance(p, lazy) for p in thing.parameters()):
        raise UserError(
            f"attach({name}=...): lazy layers have no weights yet; pass one batch through it before"
        )
