"""What a folder of pictures holds: its parts, its classes, and what is left out. No torch."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data.pictures.tree import Tree, as_text, counted, left_out, listed

PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Names of folders, in lower case, that stand for a part of the set."""


@dataclass(frozen=True)
class Part:
    """Pictures and the number of each one's class."""

    paths: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Folder:
    """`parts` by name (train, val, test) where the folder has them, else train alone; `layout` says which.
    `said` is which parts were found, `left` what was left out or is missing, for the person."""

    root: str
    classes: tuple[str, ...]
    parts: Mapping[str, Part]
    layout: bool
    said: tuple[str, ...]
    left: tuple[str, ...]


def look(root: Path, endings: Collection[str]) -> Folder:
    """What is in `root`, where files of `endings` (".png", in lower case) are pictures.

    Either a subfolder for each class, or train, val and test (also valid, validation; any letter case; train
    and one other; train alone) with a subfolder for each class in them. Raises UserError where there are not
    two classes, a class has no picture, or the parts differ in classes.
    """
    if not root.is_dir():
        raise UserError(f"data.path: no such folder: {as_text(root.absolute())}")
    tree = Tree(root, endings)
    top = tree.subfolders(os.fspath(root))
    parts, left = _layout(tree, top)
    classes = {"train": top} if not parts else {part: tree.subfolders(path) for part, path in parts.items()}
    names = list(classes["train"])
    tree.count_loose(os.fspath(root), *parts.values())
    _check_classes(tree, names, classes["train"])
    left += _differences(tree, names, classes)
    found = {part: _part(tree, names, folders, part == "train") for part, folders in classes.items()}
    if tree.loose:
        left.append(f"{counted(tree.loose)} in no class folder left out")
    if tree.left:
        left.append(f"files left out: {left_out(tree.left)}")
    said = (_parts_said(parts),) if parts else ()
    return Folder(os.fspath(root), tuple(map(as_text, names)), found, bool(parts), said, tuple(left))


def _layout(tree: Tree, top: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Part -> folder, {} where the subfolders of the root are the classes; and what is left out."""
    named = {name: PARTS[name.lower()] for name in top if name.lower() in PARTS}
    divided = {name: part for name, part in named.items() if tree.subfolders(top[name])}
    if "train" not in divided.values():
        return {}, []
    others = [name for name in top if name not in divided and tree.holds_pictures(top[name])]
    strange = [name for name in others if name not in named]
    if len(divided) == 1 and strange:
        return {}, []
    if len(strange) < len(others):
        unlabelled = next(name for name in others if name in named)
        raise UserError(
            f"data.path: {as_text(top[unlabelled])} has pictures but no class folders, as train has\n"
            "Pictures without classes cannot be measured on: move that folder elsewhere."
        )
    parts = _one_each(tree, divided, top)
    left = [f"{listed(strange)} left out: none of train, val and test"] if strange else []
    return parts, left


def _one_each(tree: Tree, divided: Mapping[str, str], top: Mapping[str, str]) -> dict[str, str]:
    """Part -> folder. Raises UserError where two folders have names of one part."""
    parts: dict[str, str] = {}
    for name, part in divided.items():
        if part in parts:
            both = " and ".join(as_text(n) for n, p in divided.items() if p == part)
            raise UserError(
                f"data.path: {as_text(tree.root)}: {both} are both the {part} part; keep one of them"
            )
        parts[part] = top[name]
    return parts


def _parts_said(parts: Mapping[str, str]) -> str:
    found = ", ".join(f"{as_text(os.path.basename(path))}/" for path in parts.values())
    if "val" in parts and "test" not in parts:
        return f"parts found: {found}; there is no test part, and none is taken from train"
    if "val" not in parts and "test" in parts:
        return f"parts found: {found}; validation is taken from train"
    return f"parts found: {found}"


def _check_classes(tree: Tree, names: list[str], folders: Mapping[str, str]) -> None:
    if len(names) >= 2:
        return
    root = as_text(tree.root)
    if not names:
        loose = f": its {counted(tree.loose)} lie in none" if tree.loose else ""
        raise UserError(
            f"data.path: {root} has no class folder{loose}\n"
            "It needs a subfolder with pictures for each class."
        )
    inner = tree.subfolders(folders[names[0]])
    hint = (
        f"Did you mean data.path = {as_text(folders[names[0]])}?" if len(inner) > 1 else "Add another class."
    )
    raise UserError(
        f"data.path: {root} has 1 class folder, {as_text(names[0])}; at least 2 are needed\n{hint}"
    )


def _differences(tree: Tree, names: list[str], classes: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Raises UserError for a class that is not trained on; one that a part lacks is only said."""
    said = []
    for part, folders in classes.items():
        unknown = [name for name in folders if name not in names]
        if unknown:
            raise UserError(
                f"data.path: {as_text(tree.root)}: the parts differ in classes: {part} has {listed(unknown)},"
                f" which train has not\ntrain has {listed(names)}. Give both the same folders."
            )
        missing = [name for name in names if name not in folders]
        if missing:
            said.append(f"the {part} part has no folder {listed(missing)}")
    return said


def _part(tree: Tree, names: list[str], folders: Mapping[str, str], complete: bool) -> Part:
    found = {name: tree.pictures(folders[name]) if name in folders else [] for name in names}
    empty = [name for name, paths in found.items() if not paths]
    if complete and empty:
        others = f" (there are: {left_out(tree.left)})" if tree.left else ""
        raise UserError(
            f"data.path: {as_text(tree.root)}: no picture in the class folder {listed(empty)}{others}\n"
            "Remove it, or put pictures there, such as .jpg, .png, .tif, .webp or .gif."
        )
    pairs = [(path, label) for label, name in enumerate(names) for path in found[name]]
    if not pairs:
        raise UserError(f"data.path: {as_text(tree.root)}: a part without a picture: {listed(folders)}")
    paths, labels = zip(*pairs, strict=True)
    return Part(paths, labels)
