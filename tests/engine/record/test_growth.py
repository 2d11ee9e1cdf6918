"""A record grows with what happens, not with its square; who reads it keeps little."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.resuming import live, start
from support.run_files import EPOCH, FINISHED, written

from trainconsole.engine.protocol.events import AnyEvent, Branched, CommandApplied
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.last_events import last_words
from trainconsole.engine.runs import branches
from trainconsole.engine.runs.replay import recipe
from trainconsole.tui.state import run_list

MANY = 100_000


def commands(count: int) -> list[AnyEvent]:
    """Rates, every second of them taken back; every eighth stays."""
    made: list[AnyEvent] = []
    branch = kept = 0
    for number in range(0, count, 2):
        name, rate = f"id-{number}", 1e-4 + number * 1e-9
        made.append(
            CommandApplied(
                step=number,
                branch=branch,
                command=f"lr {rate:.9f}",
                id=name,
                origin="console",
                before={"lr": 0.1},
                after={"lr": rate},
                note="the rest of the schedule is multiplied with it",
            )
        )
        kept += number % 8 == 0
        parent, branch = branch, branch + 1
        made.append(
            Branched(step=number, branch=branch, parent=parent, at_step=number, why="undo", kept=kept)
        )
        made.append(
            CommandApplied(step=number, branch=branch, command="undo", id=f"{name}u", origin="console")
        )
    return made


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of MANY commands, and an epoch before its end."""
    run = written(tmp_path_factory.mktemp("long"))
    recorder = run_directory.Recorder(run)
    recorder.append([*commands(MANY), EPOCH, FINISHED])
    recorder.close()
    return run


SEEN = """
import resource, sys
from pathlib import Path
from trainconsole.tui.state.feed import Feed
from trainconsole.tui.state.run_model import Sight
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "linux" else 2**20)
before, sight, pieces = most(), Sight(Path(sys.argv[1])), 1
feed = Feed(sight.run)
while not sight.read(feed, 0.05): pieces += 1
sight.settle()
sight.scene()
print(most() - before, len(sight.story.changes), pieces)
"""


def test_a_console_keeps_little_of_each_command(long: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SEEN, str(long)], capture_output=True, text=True, check=True)
    grown, changes, pieces = map(int, done.stdout.split())
    assert changes == MANY // 8
    assert grown < 250, f"{grown} MB for {MANY} commands"
    assert pieces > 1


def test_the_list_reads_the_end_of_a_record(long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, real = 0, os.pread

    def pread(fd: int, count: int, at: int) -> bytes:
        nonlocal read
        data = real(fd, count, at)
        read += len(data)
        return data

    monkeypatch.setattr(os, "pread", pread)
    row = run_list.row(long, None)
    assert (row.status, row.epoch, row.warning) == ("finished", EPOCH.epoch, "")
    assert read < 2**20 < (long / "events.jsonl").stat().st_size


def test_what_is_shared_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Branches and checkpoints late in a run are no longer than early ones; all of the lineage is there."""
    monkeypatch.setattr("trainconsole.engine.boundary.command_queue.LONGEST", 1e9)
    launch = start(tmp_path, "iris", "epochs=10")
    after = {step: ["lr x0.99", *(["undo"] if step % 4 == 0 else [])] for step in range(2, 58)}
    ran = live(launch, after=after)
    for kind in ("branched", "checkpoint"):
        sizes = [len(line) for line in _lines(ran.path) if f'"type":"{kind}"'.encode() in line]
        assert len(sizes) > 5
        assert max(sizes) - min(sizes) < 40
    known = [list(entry[:2]) for entry in branches.lineage(run_directory.read_events(ran.path)[0])]
    assert known == ran.last["lineage"]
    assert len(known) > 30
    assert [(c.when, c.what) for c in recipe(ran.path).config.commands] == [
        (f"step {s}", t) for s, t in known
    ]


@pytest.mark.parametrize("old", [False, True])
def test_a_record_of_old_says_the_same(tmp_path: Path, old: bool) -> None:
    """There each branch has the whole of its lineage."""
    made: list[AnyEvent] = []
    for event in commands(60):
        if old and isinstance(event, Branched):
            made.append(replace(event, kept=None, lineage=branches.lineage(made)[: event.kept]))
        else:
            made.append(event)
    rates = [e for e in made if isinstance(e, CommandApplied) and e.before and e.step % 8 == 0]
    assert branches.lineage(made) == tuple((e.step, e.command, e.id) for e in rates)


def test_an_epoch_far_from_the_end_is_found(tmp_path: Path) -> None:
    run = written(tmp_path, EPOCH, *commands(4000))
    assert (run / "events.jsonl").stat().st_size > 2**20
    found = last_words(run)
    assert (found.epoch is not None, found.trouble) == (True, "")


def _lines(run: Path) -> list[bytes]:
    return (run / "events.jsonl").read_bytes().splitlines()
