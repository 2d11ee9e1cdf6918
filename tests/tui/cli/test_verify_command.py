"""`trainconsole verify` where there is nothing to measure."""

from pathlib import Path

import pytest
from support.process import trainconsole


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "verify what? as in: trainconsole verify -- python train.py"),
        (["--steps", "0", "--", "python", "train.py"], "0 is not in the range"),
        (["--", "no-such-program", "train.py"], "there is no program no-such-program"),
        (
            ["--", "sh", "-c", "echo as it is"],
            "has not called trainconsole.attach; its last line:\n  as it is",
        ),
    ],
)
def test_wrong_usage_ends_with_2_and_leaves_no_run(tmp_path: Path, words: list[str], why: str) -> None:
    ended = trainconsole("verify", *words, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert why in ended.err
    assert not [*tmp_path.glob("runs/*")]
