"""One cut and one flipped bit, end to end: resume takes the checkpoint before, says so, and loses nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.process import only_run, train, trainconsole


def cut(data: bytes) -> bytes:
    return data[: len(data) // 3]


def flip(data: bytes) -> bytes:
    return data[:5000] + bytes([data[5000] ^ 16]) + data[5001:]


@pytest.mark.parametrize("harm", [cut, flip])
def test_resume_takes_the_one_before(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    at = ["--at", "step 60: lr x0.5", "--at", "step 100: checkpoint", "--at", "step 110: batch 16"]
    train("--preset", "digits", "--set", "epochs=4", *at, "--at", "step 120: stop", cwd=tmp_path)
    run = only_run(tmp_path)
    newest = (run / "checkpoints" / "last.pt").resolve()
    assert newest.name == "last-b0-s000120.pt"
    newest.write_bytes(harm(newest.read_bytes()))
    ended = trainconsole("resume", "last", "--no-ui", "--json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert ended.of("resumed_run")[0]["checkpoint"] == "checkpoints/last-b0-s000100.pt"
    assert any(newest.name in event["why"] for event in ended.of("warning"))
    finished = json.loads(ended.out.splitlines()[-1])
    assert finished["lineage"] == [[60, "lr x0.5"], [110, "batch 16"]]
    again = trainconsole("replay", run.name, "--no-ui", cwd=tmp_path)
    assert f"identical: sha256 {finished['weights_sha256']}" in again.out
