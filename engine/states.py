"""Parts of a training state: the random generators, and the lineage that led to it."""

import torch

from trainconsole.engine.checkpoint import State
from trainconsole.engine.messages import Entry


def random_state(device: torch.device) -> State:
    """The states of torch's global generators: uint8 tensors on the CPU."""
    state: State = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: State, device: torch.device) -> None:
    """Bring back what `random_state` returned; one of another kind of device counts for the CPU alone."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def entries(state: State) -> list[Entry]:
    """The lineage in a state, with ids."""
    return [
        (step, command, name)
        for (step, command), name in zip(state["lineage"], state["lineage_ids"], strict=True)
    ]
