"""Own numbers: what is written is read back, by us and by numpy alone, whatever names and files are."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import hostile

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.record import own_files, run_directory, scalar_names
from trainconsole.engine.record.scalars import SCALAR, ScalarReader, ScalarWriter, described

STRANGE = [
    "loss",
    "Loss",
    ".hidden",
    "..",
    "a/b",
    "val loss %",
    "~",
    "ä" * 100,
    "\U0001d518" * 100,
    "x" * 100,
    "nul\u200bb",
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run_directory.write_meta(tmp_path, {"format": 1, "preset": "a", "sessions": [{"threads": 1}], "later": 1})
    return tmp_path


def everything(run: Path) -> dict[str, list[tuple[int, int, float]]]:
    reader, found = ScalarReader(run), dict[str, list[tuple[int, int, float]]]()
    while True:
        for name, records in reader.read(7):
            found.setdefault(name, []).extend(records.tolist())
        if reader.exhausted:
            return found


def test_numpy_reads_a_file_from_its_description(run: Path) -> None:
    writer = ScalarWriter(run)
    writer.write("reward", [1, 2, 3], 0, [0.5, float("nan"), float("inf")])
    writer.write("reward", 4, 1, 1e300)
    writer.close()
    meta = json.loads((run / "meta.json").read_text())
    dtype = [tuple(part) for part in meta["scalars"]["dtype"]]
    assert np.dtype(dtype) == SCALAR == np.dtype([tuple(part) for part in described()])
    records = np.fromfile(run / "scalars" / meta["scalars"]["names"]["reward"], dtype)
    assert records["step"].tolist() == [1, 2, 3, 4]
    assert records["branch"].tolist() == [0, 0, 0, 1]
    assert np.array_equal(records["value"], np.array([0.5, np.nan, np.inf, np.inf], "f4"), equal_nan=True)
    assert (meta["preset"], meta["later"], len(meta["sessions"])) == ("a", 1, 1)


def test_the_script_of_the_page_reads_it(run: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "run-directory.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(# read_numbers.py\n.*?)```", page, re.DOTALL)
    writer = ScalarWriter(run)
    writer.write("eval/f1", [1, 2], 0, [0.5, 0.25])
    done = subprocess.run([sys.executable, "-c", script, run], capture_output=True, text=True, check=True)
    assert done.stdout == "eval/f1 2 [0.25]\n"


def test_each_name_has_a_file_of_its_own_that_is_safe(run: Path) -> None:
    writer = ScalarWriter(run)
    for value, name in enumerate(STRANGE):
        writer.write(name, 1, 0, value)
    writer.close()
    files = sorted(path.name for path in (run / "scalars").iterdir())
    assert len({file.lower() for file in files}) == len(STRANGE)
    assert all(scalar_names.FILE.fullmatch(file) and len(file) <= 255 for file in files)
    assert everything(run) == {name: [(1, 0, float(value))] for value, name in enumerate(STRANGE)}
    assert scalar_names.file_of("reward", []) == "reward.bin"


@given(st.lists(st.text(min_size=1, max_size=100), unique=True, max_size=20))
def test_any_names_have_files(names: list[str]) -> None:
    taken: list[str] = []
    for name in filter(lambda name: not scalar_names.fault(name), names):
        taken.append(scalar_names.file_of(name, taken))
        assert scalar_names.FILE.fullmatch(taken[-1])
    assert len({file.lower() for file in taken}) == len(taken)


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", "a\x1b[31m", "a\udcff", "a\u2028b", "\x7f", 3, None])
def test_a_name_that_cannot_be_recorded_is_refused(run: Path, name: str) -> None:
    with pytest.raises(UserError, match="the name of a number") as error:
        ScalarWriter(run).write(name, 1, 0, 1.0)
    assert hostile.unsafe(str(error.value)) == set()
    assert not (run / "scalars").exists()


def test_there_are_256_names_and_no_more(run: Path) -> None:
    writer = ScalarWriter(run)
    writer.add(f"n{index}" for index in range(250))
    for index in range(256):
        writer.write(f"n{index}", 1, 0, index)
    for again in (writer, ScalarWriter(run)):
        with pytest.raises(UserError, match="more than 256 names"):
            again.write("one more", 1, 0, 1.0)
        again.write("n3", 2, 0, 1.0)
    writer.close()
    found = everything(run)
    assert list(found) == [f"n{index}" for index in range(256)]
    assert len(found["n3"]) == 3


def test_a_second_session_goes_on_and_cuts_a_torn_record(run: Path) -> None:
    first = ScalarWriter(run)
    first.write("a", [1, 2], 0, [1.0, 2.0])
    first.close()
    with (run / "scalars" / "a.bin").open("ab") as file:
        file.write(b"torn tail")
    assert everything(run) == {"a": [(1, 0, 1.0), (2, 0, 2.0)]}
    run_directory.add_session(run, {"threads": 2})
    second = ScalarWriter(run)
    second.write("b", 2, 1, 5.0)
    second.write("a", 3, 1, 3.0)
    second.close()
    assert everything(run) == {"a": [(1, 0, 1.0), (2, 0, 2.0), (3, 1, 3.0)], "b": [(2, 1, 5.0)]}
    assert len(run_directory.read_meta(run).sessions) == 2


def test_a_reader_has_new_names_and_new_records_and_nothing_twice(run: Path) -> None:
    reader, writer = ScalarReader(run), ScalarWriter(run)
    assert (reader.read(), reader.exhausted, reader.names) == ([], True, ())
    writer.write("a", np.arange(10), 0, 0.0)
    ((name, records),) = reader.read(8)
    assert (name, records["step"].tolist(), reader.exhausted) == ("a", [*range(8)], False)
    writer.write("b", 1, 0, 1.0)
    assert [(name, len(records)) for name, records in reader.read()] == [("a", 2), ("b", 1)]
    assert (reader.read(), reader.exhausted, reader.names) == ([], True, ("a", "b"))


def test_a_full_disk_takes_all_or_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, write = ScalarWriter(run), os.write
    writer.write("a", 1, 0, 1.0)

    def full(fd: int, data: memoryview) -> int:
        if len(data) > 20:
            return write(fd, data[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        writer.write("a", [2, 3], 0, [2.0, 3.0])
    monkeypatch.undo()
    writer.write("a", 4, 0, 4.0)
    assert everything(run) == {"a": [(1, 0, 1.0), (4, 0, 4.0)]}


def test_links_are_not_followed(run: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    away = tmp_path_factory.mktemp("away")
    (away / "a.bin").write_bytes(np.ones(3, SCALAR).tobytes())
    writer = ScalarWriter(run)
    writer.add(["a", "b", "c", "d"])
    (run / "scalars").symlink_to(away)
    reader = ScalarReader(run)
    assert (reader.read(), reader.refused) == ([], {"*": "it is a link, not a directory"})
    with pytest.raises(OSError, match="link"):
        writer.write("a", 1, 0, 1.0)
    with pytest.raises(UserError, match="nothing is written there"):
        own_files.check(run)
    (run / "scalars").unlink()
    writer.write("d", 1, 0, 4.0)
    (run / "scalars" / "a.bin").symlink_to(away / "a.bin")
    (run / "scalars" / "b.bin").mkdir()
    os.mkfifo(run / "scalars" / "c.bin")
    for name in "abc":
        with pytest.raises(OSError, match=r"not a file|directory"):
            writer.write(name, 1, 0, 1.0)
    ((name, records),) = reader.read()
    assert (name, records["value"].tolist()) == ("d", [4.0])
    assert len((away / "a.bin").read_bytes()) == 3 * SCALAR.itemsize


@pytest.mark.parametrize(
    "scalars",
    [
        None,
        3,
        [],
        {},
        {"names": 3},
        {"names": ["a"]},
        {"names": {"a": 3, "b": None, "c": "../../metrics.bin", "d": "/etc/passwd", "e": ".hidden.bin"}},
        {
            "names": {
                "": "a.bin",
                "x" * 1000: "b.bin",
                "a\nb": "c.bin",
                "d": "d" * 300 + ".bin",
                "e": "a\n.bin",
            }
        },
    ],
)
def test_hostile_descriptions_have_no_names(run: Path, scalars: object) -> None:
    run_directory.write_meta(run, {"format": 1, "scalars": scalars})
    (run / "scalars").mkdir()
    (run / "scalars" / "a.bin").write_bytes(b"x" * 160)
    reader = ScalarReader(run)
    assert (reader.read(), reader.names, reader.exhausted) == ([], (), True)
    ScalarWriter(run).write("new", 1, 0, 2.0)
    assert everything(run) == {"new": [(1, 0, 2.0)]}


def test_a_damaged_meta_is_a_run_without_own_numbers(run: Path) -> None:
    ScalarWriter(run).write("a", 1, 0, 1.0)
    (run / "meta.json").write_bytes(b"{")
    assert everything(run) == {}


def test_garbage_and_holes_are_passed_over(run: Path) -> None:
    writer = ScalarWriter(run)
    writer.write("a", [0, 2**63, 5], 0, [0.0, 1.0, 2.0])
    with (run / "scalars" / "a.bin").open("r+b") as file:
        file.truncate(16 << 36)
    reader = ScalarReader(run)
    found = [reader.read(1 << 12) for _ in range(20)]
    assert [records.tolist() for part in found for _, records in part] == [[(0, 0, 0.0), (5, 0, 2.0)]]
    assert reader.exhausted


def test_only_own_files_are_removed_with_a_run(run: Path) -> None:
    run_directory.write_config(run, run_directory.RunConfig())
    writer = ScalarWriter(run)
    writer.write("a", 1, 0, 1.0)
    writer.write("b", 1, 0, 1.0)
    assert own_files.remove(run, []) == []
    assert not run.exists()


def test_what_is_not_ours_in_scalars_is_left(run: Path) -> None:
    writer = ScalarWriter(run)
    writer.write("a", 1, 0, 1.0)
    (run / "scalars" / "notes.txt").touch()
    assert own_files.remove(run, []) == ["scalars"]
    assert [path.name for path in (run / "scalars").iterdir()] == ["notes.txt"]
