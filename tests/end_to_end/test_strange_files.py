"""Real processes on a run directory that holds links to elsewhere and files of other people: nothing that
the program did not write is written to, cut or removed."""

import os
import shutil
from pathlib import Path

import pytest
from support.process import only_run, train, trainconsole

STEPS = ["--at", "step 7: checkpoint mine", "--at", "step 9: lr x0.5", "--at", "step 20: stop"]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that can be gone on with."""
    cwd = tmp_path_factory.mktemp("stopped")
    train("--preset", "iris", "--threads", "1", "--set", "epochs=6", *STEPS, cwd=cwd)
    return only_run(cwd)


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> Path:
    """A copy of it, links kept."""
    copy = tmp_path / "runs" / stopped.name
    shutil.copytree(stopped, copy, symlinks=True)
    return copy


@pytest.fixture
def victim(stopped: Path, tmp_path: Path) -> Path:
    """A folder of somebody else's, with what looks like a run's own files and snapshots in it."""
    folder = tmp_path / "victim"
    shutil.copytree(stopped / "checkpoints", folder, symlinks=True)
    for name in ("000001.pt", ".last-b0-s000001.pt.12", "thesis.tex", "metrics.bin", "events.jsonl"):
        (folder / name).write_bytes(b"not a whole record")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}


@pytest.mark.parametrize("name", ["undo", "checkpoints", "metrics.bin", "events.jsonl", "host.log", "lock"])
def test_a_link_out_of_the_run_is_refused_and_what_it_leads_to_is_left(
    run: Path, victim: Path, name: str
) -> None:
    before = contents(victim)
    target = victim if name in ("undo", "checkpoints") else victim / "thesis.tex"
    if (run / name).is_dir():
        shutil.rmtree(run / name)
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(target)
    ended = trainconsole("resume", run.name, "--no-ui", cwd=run.parent.parent)
    assert ended.code == 2
    assert f"{name}: " in ended.err
    assert "a link, not" in ended.err
    assert "Traceback" not in ended.err
    assert contents(victim) == before


def test_what_a_session_did_not_write_stays(run: Path, victim: Path) -> None:
    theirs = {
        "checkpoints/resnet18.pt": b"weights",
        "checkpoints/other-b0-s000001.pt": b"of another run",
        "checkpoints/last-b7-s000001.pt": b"of another run",
        "notes.md": b"notes",
    }
    for name, data in theirs.items():
        (run / name).write_bytes(data)
    (run / "checkpoints" / "away.pt").symlink_to(victim / "thesis.tex")
    before = contents(victim)
    named = (run / "checkpoints" / "mine.pt").readlink().name
    ended = trainconsole("resume", run.name, "--no-ui", "--json", cwd=run.parent.parent)
    assert ended.code == 0, ended.err
    assert {name: (run / name).read_bytes() for name in theirs} == theirs
    assert (run / "checkpoints" / named).is_file()
    assert (run / "checkpoints" / "away.pt").is_symlink()
    pruned = trainconsole("runs", "--prune", "--keep", "0", "--yes", cwd=run.parent.parent)
    assert pruned.code == 0, pruned.err
    assert "left there, as none of the run's own: checkpoints, notes.md" in pruned.out
    assert sorted(os.listdir(run / "checkpoints")) == ["away.pt", "other-b0-s000001.pt", "resnet18.pt"]
    assert sorted(os.listdir(run)) == ["checkpoints", "notes.md"]
    assert contents(victim) == before


def test_prune_follows_no_link(run: Path, victim: Path) -> None:
    before, runs = contents(victim), run.parent
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").symlink_to(victim)
    (run / "undo").symlink_to(victim)
    # A link to a run, and one to somebody else's folder that looks like one.
    elsewhere = runs.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(run / "config.toml", elsewhere)
    (runs / "newest").symlink_to(run.name)
    (runs / "2026-01-01_00-00-00_theirs").symlink_to(elsewhere)
    pruned = trainconsole("runs", "--prune", "--keep", "0", "--yes", cwd=runs.parent)
    assert pruned.code == 0, pruned.err
    assert pruned.out.count("deleted ") == 1
    assert sorted(os.listdir(run)) == ["checkpoints", "undo"]
    assert (elsewhere / "config.toml").is_file()
    assert contents(victim) == before
