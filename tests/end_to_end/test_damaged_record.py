"""A record with a line that is none, end to end: every verb goes on, and says which line it is."""

from pathlib import Path

import pytest
from support.process import only_run, train, trainconsole


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped, its first command unreadable, its end gone: a kill, and a bad sector."""
    cwd = tmp_path_factory.mktemp("damaged")
    at = ["--at", "step 9: lr x0.5", "--at", "step 12: checkpoint", "--at", "step 15: batch 8"]
    train("--preset", "iris", "--set", "epochs=4", *at, "--at", "step 17: stop", cwd=cwd)
    events = only_run(cwd) / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"finished"' not in line and b'"stop"' not in line]
    at_command = next(n for n, line in enumerate(kept) if b'"lr x0.5"' in line)
    kept[at_command] = b"\x1b[31m\xff" + kept[at_command][40:]
    events.write_bytes(b"".join(kept))
    return cwd


def said(text: str) -> None:
    assert "events.jsonl" in text
    assert "cannot be read" in text
    assert "Traceback" not in text
    assert "\x1b[31m" not in text


def test_it_is_listed_evaluated_and_exported(cwd: Path) -> None:
    name = only_run(cwd).name
    for words in (["runs"], ["evaluate", name], ["export", name, "--csv", "a.csv"]):
        ended = trainconsole(*words, cwd=cwd)
        assert ended.code == 0, ended.err
        assert "Traceback" not in ended.err


def test_a_replay_that_cannot_know_all_says_so(cwd: Path) -> None:
    ended = trainconsole("replay", only_run(cwd).name, "--no-ui", cwd=cwd)
    assert ended.code == 2
    said(ended.err)
    assert "not all known" in ended.err


def test_a_resume_goes_on_by_the_checkpoint_and_then_it_replays(cwd: Path) -> None:
    run = only_run(cwd)
    ended = trainconsole("resume", run.name, "--no-ui", cwd=cwd)
    assert ended.code == 0, ended.err
    said(ended.err)
    again = trainconsole("replay", run.name, "--no-ui", cwd=cwd)
    assert again.code == 0, again.err
    assert "identical: sha256" in again.out
    said(again.err)
