"""Folders of pictures, written for a test."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

SIDE = 8


def folder(
    root: Path,
    make: Callable[[str, int], Any],
    ending: str = "png",
    count: int = 10,
    classes: Sequence[str] = ("bright", "dark"),
) -> Path:
    """`make(class, i)` gives the array of each picture."""
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.fromarray(make(name, i)).save(root / name / f"{i}.{ending}")
    return root
