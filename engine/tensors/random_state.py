"""The global random generators that a run may draw from: torch's, numpy's and Python's."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from trainconsole.engine.common import user_code
from trainconsole.engine.tensors.copies import State

CPU = torch.device("cpu")


def seed_generators(seed: int) -> None:
    """Set all of them; call it before each call of a user's code that may draw from one."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def random_state(device: torch.device, *, others: bool = True) -> State:
    """Where the generators stand: torch's on the CPU and on `device`; with `others` numpy's and Python's.

    Tensors, numbers and dicts, as a checkpoint holds them. Python's and numpy's take 60 us, torch's 0.5.
    """
    state: State = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    if others:
        state |= {"numpy": _numpy_state(), "python": _python_state()}
    return state


def set_random_state(state: State, device: torch.device) -> None:
    """Bring back what `random_state` returned; one of another kind of device counts for the CPU alone."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    if state.get("numpy"):
        found = state["numpy"]
        words = found["words"].numpy().astype(np.uint32)
        np.random.set_state(("MT19937", words, found["position"], found["has_gauss"], found["gauss"]))
    if "python" in state:
        random.setstate((3, tuple(state["python"]["words"].tolist()), state["python"]["gauss"]))


def moved(before: State, after: State, names: Iterable[str]) -> bool:
    """Whether one of the generators called `names` was drawn from between two states."""
    return any(not _same(before[name], after[name]) for name in names)


@contextmanager
def generators_kept(device: torch.device = CPU) -> Iterator[None]:
    """On leaving, the generators stand where they stood."""
    before = random_state(device)
    try:
        yield
    finally:
        set_random_state(before, device)


def load_object(target: str, what: str) -> Any:
    """As user_code.load_object; what a module draws on its import, once in a process, shifts nothing."""
    with generators_kept():
        return user_code.load_object(target, what)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    return bool(one == other)


def _numpy_state() -> dict[str, Any]:
    """{} where the user gave numpy another generator than its own Mersenne Twister."""
    found = np.random.get_state(legacy=False)
    if not isinstance(found, dict) or found["bit_generator"] != "MT19937":
        return {}
    words = torch.from_numpy(found["state"]["key"].astype(np.int64))
    return {
        "words": words,
        "position": int(found["state"]["pos"]),
        "has_gauss": int(found["has_gauss"]),
        "gauss": float(found["gauss"]),
    }


def _python_state() -> dict[str, Any]:
    _, words, gauss = random.getstate()
    return {"words": torch.tensor(words), "gauss": gauss}
