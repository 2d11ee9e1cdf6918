"""Signals to a headless run: what is saved, what is said, and the exit code."""

import json
import re
import signal

import pytest
from process import only_run
from terminal import Terminal, end, rows_there, start, wait_for

from trainconsole.engine import checkpoint, record

IRIS = ["--preset", "iris", "--no-ui", "--threads", "1"]
LONG = [*IRIS, "--set", "epochs=100000"]

SLOW = """
import time
from pathlib import Path
import torch
from torch import nn

def load():
    Path("loading").touch()
    time.sleep(600)

class Stuck(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 3))
        self.calls = 0
    def forward(self, x):
        self.calls += 1
        if self.calls == 20:
            Path("stuck").touch()
            time.sleep(600)
        return super().forward(x)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_leaves(tmp_path, number, code):
    process = start(*LONG, "--json", cwd=tmp_path)
    wait_for(lambda: rows_there(tmp_path) > 50, process)
    process.send_signal(signal.SIGHUP)
    ended, out, err = end(process, number)
    assert (ended, err) == (code, "")
    run = only_run(tmp_path)
    assert out == (run / "events.jsonl").read_text()
    last = json.loads(out.splitlines()[-1])
    assert (last["type"], last["signal"]) == ("interrupted", signal.Signals(number).name)
    state = checkpoint.load(run / last["checkpoint"])
    assert state["position"]["step"] == last["step"] == record.read_rows(run)["step"][-1]
    assert (run / "checkpoints" / "best.pt").is_file()


def test_ctrl_c_at_the_keyboard_says_what_was_saved(tmp_path):
    with Terminal(*LONG, cwd=tmp_path) as terminal:
        terminal.read_until(lambda sent: re.search(r"epoch +5 ", sent) is not None)
        terminal.press_ctrl_c()
        assert terminal.end() == 130
        left = "\n".join(terminal.left)
        assert "saved checkpoints/last.pt" in left
        assert "━" not in left
        assert terminal.sent.rfind("\x1b[?25h") >= terminal.sent.rfind("\x1b[?25l")
    assert "Traceback" not in left


def test_a_second_ctrl_c_leaves_at_once(tmp_path):
    """The first one waits for the end of a step that does not come."""
    (tmp_path / "slow.py").write_text(SLOW)
    process = start(*IRIS, "--set", "model.name=slow:Stuck", cwd=tmp_path)
    wait_for((tmp_path / "stuck").exists, process)
    process.send_signal(signal.SIGINT)
    with pytest.raises(Exception, match="timed out"):
        process.wait(1.0)
    code, _, err = end(process, signal.SIGINT)
    assert code == 130
    assert "Traceback" not in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_setting_up_leaves_nothing(tmp_path, number, code):
    (tmp_path / "slow.py").write_text(SLOW)
    process = start(*IRIS, "--set", "data.name=slow:load", cwd=tmp_path)
    wait_for((tmp_path / "loading").exists, process)
    ended, out, err = end(process, number)
    assert (ended, out) == (code, "")
    assert list((tmp_path / "runs").iterdir()) == []
    assert "nothing kept" in err
    assert len(err.strip().splitlines()) <= 3
