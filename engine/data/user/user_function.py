"""What a user's own data function returned: its parts, and a first look at each."""

from typing import Any

from torch.utils.data import Dataset, IterableDataset, TensorDataset

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import call
from trainconsole.engine.config.data import ImportedData
from trainconsole.engine.data.raw import RawSet
from trainconsole.engine.data.user import interpretation, probe
from trainconsole.engine.data.user.arrays import is_array, labels, numbers
from trainconsole.engine.data.user.class_labels import class_names
from trainconsole.engine.data.user.parts import Part
from trainconsole.engine.data.user.probe import WHAT, Look, describe
from trainconsole.engine.tensors.random_state import load_object

TAKES = (
    "It takes (train, val, test), (train, test), train, or a dict with these keys; each a Dataset,\n"
    "an IterableDataset or a pair (inputs, targets) of tensors or arrays."
)


def read(config: ImportedData) -> RawSet:
    """Call the user's function and take what it returns. Raises UserError for anything that does not fit."""
    function = load_object(config.target, WHAT)
    returned = call(function, f"{WHAT}: {config.target}()", **config.args)
    parts = {name: _part(part, name, config) for name, part in _parts(returned, config.target).items()}
    for name, part in parts.items():
        if not len(part.look.inputs):
            raise UserError(f"{WHAT}: {config.target}() returned an empty part: {name}")
    return interpretation.rows(parts, config)


def _parts(returned: Any, target: str) -> dict[str, Any]:
    if isinstance(returned, dict):
        if "train" in returned and set(returned) <= {"train", "val", "test"}:
            found = {name: part for name, part in returned.items() if part is not None}
            for name, part in found.items():
                if not isinstance(part, Dataset) and not _is_pair(part):
                    raise UserError(f"{WHAT}: {target}() returned {describe(part)} as {name}\n{TAKES}")
            return found
        raise UserError(
            f"{WHAT}: {target}() returned a dict with the keys {sorted(map(str, returned))}\n{TAKES}"
        )
    if isinstance(returned, Dataset) or _is_pair(returned):
        return {"train": returned}
    if isinstance(returned, tuple | list) and len(returned) in (2, 3):
        names = ("train", "test") if len(returned) == 2 else ("train", "val", "test")
        found = {name: part for name, part in zip(names, returned, strict=True) if part is not None}
        if "train" in found and all(isinstance(p, Dataset) or _is_pair(p) for p in found.values()):
            return found
    raise UserError(f"{WHAT}: {target}() returned {describe(returned)}\n{TAKES}")


def _is_pair(value: Any) -> bool:
    two = isinstance(value, tuple | list) and len(value) == 2
    return two and all(is_array(part) for part in value)


def _part(given: Any, name: str, config: ImportedData) -> Part:
    names = class_names(given)
    if isinstance(given, TensorDataset) and len(given.tensors) == 2:
        return Part(None, _whole(given.tensors[0], given.tensors[1], name), names)
    if isinstance(given, IterableDataset):
        probe.length(given, name, config)
        return Part(given, probe.at_stream(given, name), names)
    if isinstance(given, Dataset):
        return Part(given, probe.at_dataset(given, name), names)
    return Part(None, _whole(given[0], given[1], name), names)


def _whole(inputs: Any, targets: Any, name: str) -> Look:
    """All rows of a pair. Raises UserError where they are not as many targets as inputs."""
    x = numbers(inputs, f"{WHAT}: the {name} inputs")
    y = labels(targets, f"{WHAT}: the {name} targets")
    if x.ndim < 2 or y.ndim < 1 or len(x) != len(y):
        raise UserError(
            f"{WHAT}: {name} inputs {tuple(x.shape)} and targets {tuple(y.shape)} do not fit: "
            "(N, ...) and (N,) or (N, C) are needed"
        )
    return Look(x, y)
