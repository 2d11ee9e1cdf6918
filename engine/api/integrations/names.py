"""Names of numbers as a record has them: what was trained with, and what was validated. No torch."""

from collections.abc import Mapping
from typing import Any

MARKS = {"train": ("train_", "train/", "training_", "training/"), "val": ("val_", "val/", "valid_", "valid/")}
SAME = {"acc": "accuracy"}
SPEED = ("runtime", "_per_second", "_time", "epoch")


def trained(logged: Mapping[str, Any]) -> dict[str, Any]:
    """Of an update: without means over an epoch."""
    single = {name.removesuffix("_step"): value for name, value in logged.items() if not _is_mean(name)}
    return {_bare(name, "train"): value for name, value in single.items()}


def measured(logged: Mapping[str, Any]) -> dict[str, float]:
    """Of a validation: means over it."""
    own = {name: value for name, value in logged.items() if not name.startswith(MARKS["train"])}
    means = {name.removesuffix("_epoch"): value for name, value in own.items() if name[-5:] != "_step"}
    return {_bare(name, "val"): float(value) for name, value in means.items()}


def _is_mean(name: str) -> bool:
    return name.endswith("_epoch") or name.startswith(MARKS["val"])


def _bare(name: str, kind: str) -> str:
    bare = next((name.removeprefix(mark) for mark in MARKS[kind] if name.startswith(mark)), name)
    return SAME.get(bare, bare)


def evaluated(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Of a Hugging Face Trainer: without eval_, and without how long it took."""
    wanted = {name: value for name, value in metrics.items() if is_number(value) and not name.endswith(SPEED)}
    return {name.removeprefix("eval_"): float(value) for name, value in wanted.items()}


def is_number(value: object) -> bool:
    return isinstance(value, int | float) or getattr(value, "ndim", None) == 0
