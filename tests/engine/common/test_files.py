"""Files of a run directory: only regular ones, within bounds."""

import os
from pathlib import Path

import pytest

from trainconsole.engine.common.files import (
    NotRegular,
    TooLarge,
    kind_of,
    open_regular,
    read_bytes,
    replace_file,
)


def link(path: Path) -> None:
    (path.parent / "elsewhere").write_bytes(b"theirs")
    path.symlink_to("elsewhere")


OTHERS = {
    "a link": link,
    "a directory": lambda path: path.mkdir(),
    "a fifo": lambda path: os.mkfifo(path),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_APPEND | os.O_CREAT])
def test_what_is_no_file_is_named_and_left_alone(tmp_path: Path, kind: str, flags: int) -> None:
    path = tmp_path / "events.jsonl"
    OTHERS[kind](path)
    with pytest.raises(NotRegular, match=f"{kind}, not a file"):
        open_regular(path, flags)
    assert kind_of(path) == kind


def test_a_dangling_link_is_not_followed_to_make_a_file(tmp_path: Path) -> None:
    (tmp_path / "metrics.bin").symlink_to(tmp_path / "victim")
    with pytest.raises(NotRegular):
        open_regular(tmp_path / "metrics.bin", os.O_WRONLY | os.O_CREAT)
    assert not (tmp_path / "victim").exists()


def test_more_than_the_limit_is_not_read(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with open(sparse, "wb") as file:
        file.truncate(2**40)
    with pytest.raises(TooLarge, match="larger than 1 MiB"):
        read_bytes(sparse, 2**20)
    sparse.write_bytes(b"12345")
    assert read_bytes(sparse, 5) == b"12345"


def test_what_is_missing_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none", 10)
    assert kind_of(tmp_path / "none") == ""


def test_a_replaced_file_is_a_file_of_its_own(tmp_path: Path) -> None:
    link(tmp_path / "config.toml")
    replace_file(tmp_path / "config.toml", b"new")
    assert (tmp_path / "elsewhere").read_bytes() == b"theirs"
    assert (tmp_path / "config.toml").read_bytes() == b"new"
    assert kind_of(tmp_path / "config.toml") == "a file"
