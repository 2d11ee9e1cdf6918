"""Targets 0.0 and 1.0 in front of torch's binary losses are two classes, and not numbers."""

from dataclasses import replace

from trainconsole.engine.data.load import Data
from trainconsole.engine.data.loading.batches import TensorSource
from trainconsole.engine.losses.losses import Loss
from trainconsole.engine.losses.own_losses import BINARY

CLASSES = ("0", "1")


def as_classes(data: Data, loss: Loss) -> Data:
    """`data` as classification where `loss` is of the user's own and binary, and all targets are 0.0 or 1.0.

    Only tensors are looked at: of a dataset targets are not known before they are read.
    """
    parts = {"train": data.train, "val": data.val, "test": data.test}
    sources = {name: part for name, part in parts.items() if isinstance(part, TensorSource)}
    given = [part for part in parts.values() if part is not None]
    if data.task != "regression" or not isinstance(loss.own, BINARY) or len(sources) != len(given):
        return data
    if not all(bool(((s.targets == 0) | (s.targets == 1)).all()) for s in sources.values()):
        return data
    classed = {name: replace(s, targets=s.targets.long().flatten()) for name, s in sources.items()}
    counts = {name: s.targets.bincount(minlength=2).tolist() for name, s in classed.items()}
    return replace(
        data,
        train=classed["train"],
        val=classed.get("val"),
        test=classed.get("test"),
        task="classification",
        classes=CLASSES,
        class_counts={name: dict(zip(CLASSES, counts.get(name, [0, 0]), strict=True)) for name in parts},
        said=(*data.said, f"targets 0.0 and 1.0 taken for classes, as {type(loss.own).__name__} has them"),
    )
