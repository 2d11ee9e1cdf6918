"""What commands have set goes with an optimizer's state into a library's own checkpoints, and comes back.

A library loads the state into the optimizer that its script builds. After a swap that is of another kind: it
is given a state of its own kind, and what there really was stands beside it in the first group.
"""

from typing import Any

from torch import optim

from trainconsole.engine.checkpoints.parts import load_optimizer
from trainconsole.engine.own_loop.optimizer_hooks import Hooked
from trainconsole.engine.own_loop.settings import Settings

KEY = "trainconsole"


class Carried:
    """Of one run; plain numbers, strings and tensors, which `torch.load(..., weights_only=True)` reads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._handles: list[Any] = []

    def bring_back(self) -> bool:
        """What the optimizers were loaded with is in force again; False where it was nothing. From now on
        their states carry what is set."""
        found = {one.name: one.optimizer.param_groups[0].pop(KEY, None) for one in self._settings.hooked}
        known = {name: note for name, note in found.items() if note is not None}
        if known:
            self._settings.load_state_dict(next(iter(known.values()))["steering"])
        for one in self._settings.hooked:
            if known.get(one.name, {}).get("state") is not None:
                groups = one.optimizer.state_dict()["param_groups"]
                load_optimizer(one.optimizer, {"state": known[one.name]["state"], "param_groups": groups})
            self._handles.append(one.optimizer.register_state_dict_post_hook(self._adding(one)))
        return bool(known)

    def stop(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _adding(self, one: Hooked) -> Any:
        def add(optimizer: optim.Optimizer, state: dict[str, Any]) -> dict[str, Any] | None:
            return None if self._settings.untouched else self._with_note(one, state)

        return add

    def _with_note(self, one: Hooked, state: dict[str, Any]) -> dict[str, Any]:
        note: dict[str, Any] = {"steering": self._settings.state_dict(), "state": None}
        groups = [dict(group) for group in state["param_groups"]]
        if one.name in self._settings.kinds:
            note["state"] = state["state"]
            kind = self._settings.original(one)
            groups = [{**group, **values} for group, values in zip(groups, kind.groups, strict=True)]
            state = {**state, "state": {}}
        groups[0][KEY] = note
        return {**state, "param_groups": groups}
