"""The modules of a script, found by the parameters that its optimizers train."""

import gc
from collections.abc import Iterable, Iterator

from torch import Tensor, nn, optim

from trainconsole.engine.own_loop.registered import unwrapped


def found(optimizers: Iterable[optim.Optimizer]) -> dict[str, nn.Module]:
    """The modules that own those parameters, largest first, by name: "model" where it is one, else their
    classes' names. Nothing where none is alive. Goes through all objects once: 50 ms and more."""
    wanted = {id(p): p for one in optimizers for group in one.param_groups for p in group["params"]}
    chosen = []
    for module in _tops():
        owned = {id(p) for p in module.parameters()} & wanted.keys()
        if owned:
            chosen.append((module, owned))
    chosen.sort(key=lambda entry: -sum(wanted[one].numel() for one in entry[1]))
    kept, left = [], set(wanted)
    for module, owned in chosen:
        if owned & left:
            kept.append(module)
            left -= owned
    return {"model": kept[0]} if len(kept) == 1 else dict(_named(kept))


def weights(modules: dict[str, nn.Module], optimizers: dict[str, optim.Optimizer]) -> dict[str, Tensor]:
    """Parameters that no module owns, by optimizer and place."""
    owned = {id(p) for module in modules.values() for p in module.parameters()}
    return {
        f"{name}.{group}.{place}": p
        for name, one in optimizers.items()
        for group, parameters in enumerate(one.param_groups)
        for place, p in enumerate(parameters["params"])
        if id(p) not in owned
    }


def _tops() -> Iterator[nn.Module]:
    """Modules that are in no other one, without what torch has put around them."""
    # isinstance() would wake what torch imports late.
    alive = [one for one in gc.get_objects() if issubclass(type(one), nn.Module)]
    inner = {id(child) for module in alive for child in module.children()}
    tops = {id(top): top for one in alive if id(one) not in inner for top in [unwrapped(one)]}
    yield from tops.values()


def _named(modules: Iterable[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    taken: set[str] = set()
    for module in modules:
        kind = type(module).__name__
        name = next(n for n in (kind, *(f"{kind}_{i}" for i in range(1, len(taken) + 2))) if n not in taken)
        taken.add(name)
        yield name, module
