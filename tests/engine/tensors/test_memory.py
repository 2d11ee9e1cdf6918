"""Memory is asked for before it is taken: Linux does not refuse, it kills. And how much a run takes."""

import itertools
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from support.process import trainconsole
from support.resuming import live, start

from trainconsole.engine.checkpoints import undo_stack
from trainconsole.engine.tensors import memory
from trainconsole.engine.tensors.copies import copy_state, room_for, size_of
from trainconsole.engine.training import trainer

GB = 10**9
FREE = 9_000_000 * 1024
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = ("memory.max", "memory.current", "inactive_file")
CASES = {
    "no group": (FREE, "", []),
    "without a limit": (FREE, "0::/a\n", [("/a", V2, "max", GB, 0)]),
    "its own": (2 * GB, "0::/a\n", [("/a", V2, str(3 * GB), 2 * GB, GB)]),
    "one above": (GB, "0::/a/b\n", [("/a", V2, str(3 * GB), 2 * GB, 0), ("/a/b", V2, "max", GB, 0)]),
    "a container": (GB, "0::/elsewhere\n", [("/", V2, str(3 * GB), 2 * GB, 0)]),
    "of version 1": (GB, "4:memory:/a\n0::/\n", [("/memory/a", V1, str(3 * GB), 2 * GB, 0)]),
    "of version 1, none": (FREE, "4:memory:/a\n", [("/memory/a", V1, str(2**63 - 4096), 2 * GB, 0)]),
    "larger than the machine": (FREE, "0::/a\n", [("/a", V2, str(99 * GB), GB, 0)]),
    "beyond its limit": (-GB, "0::/a\n", [("/a", V2, str(GB), 2 * GB, 0)]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_free_is_the_least_of_the_machine_and_each_group(tmp_path, monkeypatch, name):
    expected, own, groups = CASES[name]
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(own)
    for path, (limit, used, cache), most, now, cached in groups:
        folder = tmp_path / "cgroup" / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / limit).write_text(f"{most}\n")
        (folder / used).write_text(f"{now}\n")
        (folder / "memory.stat").write_text(f"anon 7\n{cache} {cached}\n")
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8_000_000 * 1024))
    monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(free=1_000_000 * 1024))
    mounts = (tmp_path / "cgroup", tmp_path / "cgroup" / "memory")
    there = tuple((mount, *rest) for mount, (_, *rest) in zip(mounts, memory.GROUPS, strict=True))
    monkeypatch.setattr(memory, "GROUPS", there)
    assert memory.available() == expected


@pytest.mark.parametrize("error", [OSError, ValueError, KeyError, RuntimeError, psutil.AccessDenied])
def test_where_it_is_not_known_nothing_is_refused(monkeypatch, error):
    def unknown():
        raise error

    monkeypatch.setattr(psutil, "virtual_memory", unknown)
    assert memory.available() is None
    memory.claim(10**15)


def test_more_than_there_is_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 3 * GB)
    memory.claim(3 * GB - memory.LEFT)
    with pytest.raises(MemoryError, match=r"^3\.5 GB are needed, and 2\.7 GB are free$"):
        memory.claim(7 * GB // 2)
    monkeypatch.setattr(memory, "available", lambda: 0)
    memory.claim(memory.SMALL - 1)


def test_copies_ask_for_what_they_do_not_find_in_place(monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(memory, "claim", asked.append)
    state = {"model": {"weight": torch.zeros(5)}, "optimizer": [torch.zeros(3), torch.zeros(2)], "step": 7}
    assert size_of(state) == 40
    room = room_for(state)
    copy_state(state, room)
    copy_state(state, {"model": room["model"]})
    copy_state(state)
    assert asked == [40, 0, 20, 40]


# --- a run that has too little ----------------------------------------------------------------------------


@pytest.fixture
def tight(monkeypatch):
    """`tight(free)`: bytes that are free each time somebody asks, all that is wanted in the end."""

    def free(*answers: int) -> None:
        left = itertools.chain(answers, itertools.repeat(10**15))
        monkeypatch.setattr(memory, "SMALL", 0)
        monkeypatch.setattr(memory, "available", lambda: next(left))

    return free


DROPS = ("model.dropout=0.3", "checkpoint.epoch_seconds=1e9", "checkpoint.step_seconds=1e9")


def test_a_trial_step_that_there_is_no_memory_for_is_left_out_with_a_word(tmp_path, tight):
    plain = live(start(tmp_path, "iris", *DROPS))
    tight(0)
    ran = live(start(tmp_path, "iris", *DROPS))
    (told,) = [event["why"] for event in ran.of("warning")]
    assert told.startswith("no training step was tried before the run began: for model, gradients and")
    assert told.endswith("GB are needed, and 0.0 GB are free")
    assert ran.last["weights_sha256"] == plain.last["weights_sha256"]
    assert plain.of("warning") == []


def test_an_optimizer_that_there_is_no_memory_to_try_is_refused(tmp_path, monkeypatch, tight):
    taken = undo_stack.UndoStack.take

    def last_of_it(*args):
        done = taken(*args)
        tight(0)
        return done

    monkeypatch.setattr(undo_stack.UndoStack, "take", last_of_it)
    ran = live(start(tmp_path, "iris", *DROPS), after={7: ["optimizer sgd lr=0.01"]})
    assert [event["reason"] for event in ran.rejected] == ["not done: out of memory"]
    assert ran.last["lineage"] == []
    assert ran.last["type"] == "finished"


def test_the_best_is_kept_in_the_memory_of_the_buffers(tmp_path, monkeypatch):
    """Where there is none for it, what was laid up for faster saves is let go."""
    plain = live(start(tmp_path, "iris", *DROPS))
    left = [MemoryError()]

    def copied(*args):
        if left:
            raise left.pop()
        return copy_state(*args)

    monkeypatch.setattr(trainer, "copy_state", copied)
    ran = live(start(tmp_path, "iris", *DROPS))
    assert not left
    assert [event["kind"] for event in ran.of("checkpoint")] == ["best", "last"]
    for key in ("best", "test_best", "weights_sha256"):
        assert ran.last[key] == plain.last[key]


# --- how much ---------------------------------------------------------------------------------------------


MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def peak(folder: Path, *hidden: int) -> int:
    """Bytes of a whole run of an MLP, at most."""
    given = ["epochs=3", "batch_size=64", "checkpoint.epoch_seconds=0", f"model.hidden={[*hidden]}"]
    words = [word for setting in given for word in ("--set", setting)]
    measured = [sys.executable, "-c", MEASURED]
    ended = trainconsole("--preset", "iris", "--no-ui", "--threads", "1", *words, cwd=folder, prefix=measured)
    assert ended.code == 0, ended.err
    return int(ended.out) * 1024


def test_a_run_with_adam_takes_ten_times_its_weights(tmp_path):
    """Weights, gradients, two averages: four; the best and a copy to be saved, each without gradients.

    A torch that cannot leave out the values of what it reads holds one tensor more while it looks at a file.
    """
    most = 11 if hasattr(torch.serialization, "_is_meta_location") else 12
    wide = (4000, 6000)
    weights = 4 * (wide[0] * (4 + 1) + wide[1] * (wide[0] + 1) + 3 * (wide[1] + 1))
    assert (peak(tmp_path, *wide) - peak(tmp_path, 4, 4)) / weights < most
