"""A run of each example that was steered, by script and by hand, replays to the same weights."""

import sys
import time
from pathlib import Path

import pytest
from support.forks import joined
from support.hosting import events, until
from support.process import end, start, trainconsole

from trainconsole.engine.transport.client import Client

BY_HAND = ["next 2", "set clip.norm 1", "undo", "set weight_decay 0.02", "lr x1.5", "resume"]
"""While it is paused."""

CASES = {
    # Epochs that the script counts itself: 45 updates each, and no way back over the end of one.
    "attached.py": (
        ["--epochs", "3"],
        [
            "step 3: lr x0.5",
            "step 20: optimizer sgd lr=0.05 momentum=0.9",
            "step 30: undo",
            "step 35: schedule constant",
            "step 40: rewind step 25",
            "step 60: set dropout 0.3",
            "step 90: pause",
        ],
    ),
    # 12 updates an epoch.
    "amp_accumulation_ema.py": (
        ["--epochs", "4"],
        [
            "step 3: lr x0.5",
            "step 10: optimizer sgd lr=0.05 momentum=0.9",
            "step 15: undo",
            "step 17: schedule cosine",
            "step 26: rewind step 11",
            "step 30: pause",
        ],
    ),
    # 32 updates an epoch, two optimizers.
    "gan.py": (
        ["--epochs", "4"],
        [
            "step 3: lr x0.5",
            "step 30: set weight_decay 0.01",
            "step 35: undo",
            "step 40: schedule cosine",
            "step 66: rewind step 31",
            "step 70: pause",
        ],
    ),
    "char_transformer.py": (
        ["--steps", "40", "--eval-interval", "5"],
        [
            "step 3: lr x0.5",
            "step 8: optimizer sgd lr=0.05 momentum=0.9",
            "step 12: undo",
            "step 14: schedule constant",
            "step 20: rewind step 9",
            "step 25: pause",
        ],
    ),
}


def steer(run: Path) -> None:
    """By hand, each command once the one before is answered."""
    until(lambda: any(event["type"] == "paused" for event in events(run)), "pause")
    with Client.of(run) as client:
        for text in BY_HAND:
            name = client.send(text, "test")
            until(
                lambda name=name: any(event.get("id") == name for event in events(run)), f"answer to {text}"
            )
            if text.startswith("next"):
                time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_steered_run_is_replayed(
    examples: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    args, at = CASES[name]
    process = start(
        "run", "--no-ui", *joined(at), "--", sys.executable, str(examples / name), *args, cwd=tmp_path
    )
    try:
        run = until(lambda: next(tmp_path.glob("runs/*/events.jsonl"), None), "run").parent
        steer(run)
    finally:
        code, _, err = end(process)
    assert code == 0, err
    answers = [event for event in events(run) if event["type"].startswith("command_")]
    assert [event["command"] for event in answers if event["type"] == "command_rejected"] == []
    assert len(answers) == len(at) + len(BY_HAND)
    again = trainconsole("replay", str(run), "--no-ui", cwd=tmp_path)
    assert again.code == 0, again.out + again.err
    assert "identical" in again.out + again.err
