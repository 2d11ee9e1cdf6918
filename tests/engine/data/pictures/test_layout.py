"""What a folder of pictures is taken for: parts, classes, and what is left out."""

import os
from pathlib import Path

import pytest

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data.pictures.layout import Folder, look

ENDINGS = {".png", ".jpg"}


def made(root: Path, *files: str) -> Path:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def found(root: Path, *files: str) -> Folder:
    return look(made(root, *files), ENDINGS)


def parts(folder: Folder) -> dict[str, list[str]]:
    """Each part's pictures, below the root, with their class."""
    return {
        name: [
            f"{folder.classes[label]}:{os.path.relpath(path, folder.root)}"
            for path, label in zip(part.paths, part.labels, strict=True)
        ]
        for name, part in folder.parts.items()
    }


def refused(root: Path, *files: str) -> str:
    with pytest.raises(UserError) as caught:
        found(root, *files)
    assert len(str(caught.value).splitlines()) <= 3
    return str(caught.value)


def test_a_subfolder_is_a_class_and_all_below_it_belongs_to_it(tmp_path):
    folder = found(tmp_path, "dog/1.png", "cat/2.JPG", "cat/old/may/3.png")
    assert (folder.classes, folder.layout, folder.said, folder.left) == (("cat", "dog"), False, (), ())
    assert parts(folder) == {"train": ["cat:cat/2.JPG", "cat:cat/old/may/3.png", "dog:dog/1.png"]}


LAYOUTS = {
    ("train", "val", "test"): ("train", "val", "test"),
    ("train", "valid", "test"): ("train", "val", "test"),
    ("Training", "VALIDATION", "Testing"): ("train", "val", "test"),
    ("train", "val"): ("train", "val"),
    ("TRAIN", "test"): ("train", "test"),
    ("train",): ("train",),
}


@pytest.mark.parametrize("names", LAYOUTS)
def test_usual_layouts_are_parts_with_the_same_classes(tmp_path, names):
    folder = found(tmp_path, *(f"{name}/{c}/1.png" for name in names for c in ("dog", "cat")))
    assert folder.classes == ("cat", "dog")
    assert folder.layout
    assert parts(folder) == {
        part: [f"{c}:{name}/{c}/1.png" for c in ("cat", "dog")]
        for name, part in zip(names, LAYOUTS[names], strict=True)
    }
    (said,) = folder.said
    assert said.startswith("parts found: ")
    assert all(f"{name}/" in said for name in names)
    assert ("no test part" in said) == (set(folder.parts) == {"train", "val"})
    assert ("validation is taken from train" in said) == (set(folder.parts) == {"train", "test"})


def test_what_only_looks_like_a_layout_is_classes(tmp_path):
    """A train is a vehicle too."""
    vehicles = found(tmp_path / "a", "train/red/1.png", "bus/1.png", "car/1.png")
    assert vehicles.classes == ("bus", "car", "train")
    flat = found(tmp_path / "b", "train/1.png", "test/1.png")
    assert flat.classes == ("test", "train")


def test_other_folders_beside_the_parts(tmp_path):
    both = [f"{part}/{c}/1.png" for part in ("train", "val") for c in ("cat", "dog")]
    folder = found(tmp_path / "a", *both, "annotations/1.xml", "extra/1.png")
    assert list(folder.parts) == ["train", "val"]
    assert "extra left out" in folder.left[0]
    assert "annotations" not in str(folder.left)
    assert found(tmp_path / "b", *both[:2], "annotations/1.xml").layout
    text = refused(tmp_path / "c", *both, "test/1.png")
    assert "test has pictures but no class folders" in text
    assert "both the val part" in refused(tmp_path / "d", *both, "valid/cat/1.png", "valid/dog/1.png")


def test_parts_that_differ_in_classes_are_told(tmp_path):
    text = refused(tmp_path / "a", "train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "val/fox/1.png")
    assert "val has fox, which train has not" in text
    assert "train has cat, dog" in text
    lacks = found(tmp_path / "b", "train/cat/1.png", "train/dog/1.png", "test/dog/1.png")
    assert parts(lacks)["test"] == ["dog:test/dog/1.png"]
    assert "the test part has no folder cat" in lacks.left


def test_folders_without_two_classes(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        look(tmp_path / "nowhere", ENDINGS)
    text = refused(tmp_path / "a", "cat/1.png")
    assert "1 class folder, cat; at least 2" in text
    text = refused(tmp_path / "b", "all/cat/1.png", "all/dog/1.png")
    assert f"Did you mean data.path = {tmp_path / 'b' / 'all'}?" in text
    text = refused(tmp_path / "c", "1.png", "2.png")
    assert "no class folder: its 2 pictures lie in none" in text
    text = refused(tmp_path / "d", "cat/1.png", "dog/1.heic")
    assert "no picture in the class folder dog (there are: 1 .heic" in text
    assert "1 class folder, cat" in refused(tmp_path / "e", "train/cat/1.png", "val/cat/1.png")


def test_what_systems_leave_behind_is_no_class_and_no_picture(tmp_path):
    junk = [
        ".ipynb_checkpoints/1-checkpoint.png",
        "@eaDir/1.png",
        "__MACOSX/cat/._1.png",
        ".DS_Store",
        "cat/._1.png",
        "cat/.thumbs/1.png",
        "cat/@eaDir/1.png/thumb.png",
        "cat/Thumbs.db",
        "cat/desktop.ini",
        "cat/.DS_Store",
    ]
    folder = found(tmp_path, *junk, "cat/1.png", "dog/1.png")
    assert parts(folder) == {"train": ["cat:cat/1.png", "dog:dog/1.png"]}
    assert folder.left == ()


def test_what_is_left_out_is_counted_by_ending(tmp_path):
    folder = found(
        tmp_path, "cat/1.png", "cat/1.HEIC", "cat/2.heic", "cat/read.me", "dog/1.png", "dog/LICENSE", "3.jpg"
    )
    assert folder.left == (
        "1 picture in no class folder left out",
        "files left out: 2 .heic, 1 .me, 1 without an ending (pip install pillow-heif reads them)",
    )


def test_names_that_are_no_text(tmp_path):
    made(tmp_path, "dog/1.png")
    os.makedirs(os.fsencode(tmp_path) + b"/caf\xe9")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9/\xff.png")).touch()
    folder = look(tmp_path, ENDINGS)
    assert folder.classes == ("caf\\xe9", "dog")
    assert os.path.exists(folder.parts["train"].paths[0])


def test_links_are_followed_and_a_loop_ends(tmp_path):
    made(tmp_path, "cat/1.png", "dog/1.png", "elsewhere_/2.png")
    (tmp_path / "cat" / "more").symlink_to(tmp_path / "elsewhere_")
    (tmp_path / "cat" / "loop").symlink_to(tmp_path / "cat")
    folder = look(tmp_path, ENDINGS)
    assert parts(folder)["train"][:2] == ["cat:cat/1.png", "cat:cat/more/2.png"]


def test_a_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    made(tmp_path, "cat/1.png", "dog/1.png")

    def forbidden(path):
        raise PermissionError(13, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(UserError, match="cannot be read: Permission denied"):
        look(tmp_path, ENDINGS)
