"""The weights that a run begins with: taken once from another run, and kept in its own directory.

The other run may be moved or deleted then: resume and replay need it no longer.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.checkpoints.checkpoint import State
from trainconsole.engine.checkpoints.schema import InitialWeights
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.data import row_hashes
from trainconsole.engine.data.load import Data
from trainconsole.engine.data.row_hashes import Seen
from trainconsole.engine.record import checkpoint_names
from trainconsole.engine.runs.source_run import WEIGHTS, run_of

# A checkpoint file, with the rows that the weights were trained on and where they are from.
KEPT = ("format", "model", "classes", "scaling", "target_scaling", "source", "seen")


def taken(run: Path, config: RunConfig) -> InitialWeights | None:
    """What the run at `run` begins with, None where it begins afresh: what it kept, else what
    config.model.init_from names (of a run the best checkpoint, else the last), which is kept then.

    Raises UserError where that is missing or damaged, OSError where it cannot be kept.
    """
    if config.model.init_from is None:
        return None
    if (run / WEIGHTS).is_file():
        return _checked(checkpoint.load(run / WEIGHTS), run / WEIGHTS)
    source = Path(config.model.init_from)
    file, origin = _file(source), run_of(source)
    state = checkpoint.load(file)
    # What another run kept says itself where it is from, and what it has seen.
    known = {"source": origin.name, "seen": _tensor(row_hashes.read(origin)), **state}
    begin = _checked({key: value for key, value in known.items() if key in KEPT}, file)
    checkpoint.write(run / WEIGHTS, begin)
    return begin


def seen(begin: InitialWeights | None) -> Seen | None:
    """The rows that those weights were trained on."""
    if begin is None:
        return None
    return Seen(begin["seen"].numpy().view(np.uint64), begin["source"])


def differences(begin: InitialWeights | None, data: Data) -> Iterator[str]:
    """What is not as it was where the weights come from, and may make them worth less."""
    if begin is None:
        return
    source, classes = begin["source"], tuple(begin["classes"])
    if classes != data.classes:
        order = " in another order" if sorted(classes) == sorted(data.classes) else ""
        yield (
            f"the classes are not those of {source}{order}, so the last layer starts fresh:"
            f" there {_listed(classes)}; here {_listed(data.classes)}"
        )
    for what, before, now in (
        ("data.scaling", begin["scaling"]["kind"], data.scaling.kind),
        ("data.target_scaling", begin["target_scaling"]["kind"], data.target_scaling.kind),
    ):
        if before != now:
            yield f"{what} is '{now}', but {source} was trained with '{before}': its weights expect that"


def _checked(state: State, file: Path) -> InitialWeights:
    """`state`, whose entries are of the types that are looked for. Raises UserError."""
    scalings = [state.get(key) for key in ("scaling", "target_scaling")]
    model, seen = state.get("model"), state.get("seen")
    sound = (
        isinstance(model, dict)
        and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in model.items())
        and isinstance(state.get("classes"), list)
        and all(isinstance(name, str) for name in state["classes"])
        and all(isinstance(scaling, dict) and isinstance(scaling.get("kind"), str) for scaling in scalings)
        and isinstance(state.get("source"), str)
        and isinstance(seen, Tensor)
        and (seen.dtype, seen.ndim) == (torch.int64, 1)
    )
    if not sound:
        raise UserError(f"{file}: these are no weights that a run of ours began with, or saved")
    return cast(InitialWeights, state)


def _file(source: Path) -> Path:
    if source.name.endswith(".pt"):
        return source
    try:
        return checkpoint_names.find(source, "best", "last")
    except UserError as error:
        raise UserError(f"model.init_from {source}: {error}") from None


def _tensor(keys: row_hashes.Keys) -> Tensor:
    return torch.from_numpy(keys.view(np.int64))


def _listed(classes: tuple[str, ...], most: int = 5) -> str:
    more = f" and {len(classes) - most} more" if len(classes) > most else ""
    return (", ".join(classes[:most]) + more) or "none"
