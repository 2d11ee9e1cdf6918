"""Signals to a headless run: what is saved, what is said, and the exit code."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.emulator import Emulator
from support.process import end, only_run, rows_there, start, trainconsole, wait_for
from support.running import config

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.host.spawn import has_ended, start_detached
from trainconsole.engine.protocol.events import CommandApplied
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs.launch import prepare
from trainconsole.engine.transport import registry

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


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138), (signal.SIGXCPU, 152)],
)
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
    assert state["position"]["step"] == last["step"] == run_directory.read_rows(run)["step"][-1]
    assert (run / "checkpoints" / "best.pt").is_file()


def test_ctrl_c_at_the_keyboard_says_what_was_saved(tmp_path):
    with Emulator(*LONG, cwd=tmp_path, width=80) as terminal:
        terminal.until(lambda text: re.search(r"epoch +5 ", text) is not None)
        terminal.press("\x03")
        assert terminal.end() == 130
        left = terminal.text
        assert "saved checkpoints/last.pt" in left
        assert "━" not in left
        assert terminal.sent.rfind(b"\x1b[?25h") >= terminal.sent.rfind(b"\x1b[?25l")
    assert "Traceback" not in left


def test_a_notice_saves_and_goes_on_where_the_config_says_so(tmp_path):
    process = start(*LONG, "--json", "--set", "on_signal=continue", cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_for(lambda: rows_there(tmp_path) > 50, process)
    run = only_run(tmp_path)
    for count in (1, 2):
        process.send_signal(signal.SIGUSR1)
        wait_for(lambda count=count: answered(run) == count, process)
    then = rows_there(tmp_path)
    wait_for(lambda: rows_there(tmp_path) > then + 50, process)
    assert end(process, signal.SIGTERM)[0] == 143
    saved = [e for e in run_directory.read_events(run)[0] if isinstance(e, CommandApplied)]
    assert [(e.command, e.origin, e.id) for e in saved] == [
        ("checkpoint", "signal", "SIGUSR1-1"),
        ("checkpoint", "signal", "SIGUSR1-2"),
    ]


def answered(run: Path) -> int:
    return sum(isinstance(event, CommandApplied) for event in run_directory.read_events(run)[0])


STUCK_WORKERS = """
import os
import time
from pathlib import Path
import torch

class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 2000
    def __getitem__(self, index):
        if torch.utils.data.get_worker_info() is not None and Path("training").exists():
            Path(f"worker-{os.getpid()}").touch()
            time.sleep(600)
        return torch.rand(4), index % 3

def load():
    return {"train": Rows(), "test": (torch.rand(9, 4), torch.arange(9) % 3)}
"""


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGKILL,)])
def test_stuck_workers_do_not_outlive_their_run(tmp_path, numbers):
    """They never look whether their parent is still there."""
    (tmp_path / "stuck.py").write_text(STUCK_WORKERS)
    settings = ["--set", "data.name=stuck:load", "--set", "data.workers=2"]
    process = start(*LONG, *settings, cwd=tmp_path)
    wait_for(lambda: rows_there(tmp_path) > 0, process)
    (tmp_path / "training").touch()
    wait_for(lambda: any(tmp_path.glob("worker-*")), process)
    time.sleep(1.5)
    workers = [int(path.name.removeprefix("worker-")) for path in tmp_path.glob("worker-*")]
    for number in numbers[:-1]:
        process.send_signal(number)
        time.sleep(0.5)
        assert process.poll() is None
    code, _, err = end(process, numbers[-1])
    assert code == (143 if numbers[-1] == signal.SIGTERM else -9)
    assert "Traceback" not in err or numbers[-1] == signal.SIGKILL
    deadline = time.monotonic() + 30
    while any(registry.began(pid) for pid in workers):
        assert time.monotonic() < deadline, "orphans"
        time.sleep(0.05)


def test_a_second_ctrl_c_leaves_at_once(tmp_path):
    """The first one waits for the end of a step that does not come."""
    (tmp_path / "slow.py").write_text(SLOW)
    process = start(*IRIS, "--set", "model.name=slow:Stuck", cwd=tmp_path)
    wait_for((tmp_path / "stuck").exists, process)
    process.send_signal(signal.SIGINT)
    with pytest.raises(Exception, match="timed out"):
        process.wait(4.0)
    code, _, err = end(process, signal.SIGINT)
    assert code == 130
    assert "SIGINT: waiting for the end of this step" in err
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


AT_MKDIR = """
import os, signal
made = os.mkdir
def mkdir(path, *args, **options):
    made(path, *args, **options)
    if str(path).endswith("_iris"):
        os.kill(os.getpid(), signal.{name})
os.mkdir = mkdir
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
def test_a_signal_that_comes_with_the_directory_leaves_none(tmp_path, name):
    """Before anybody is there to hear it."""
    (tmp_path / "shim").mkdir()
    (tmp_path / "shim" / "sitecustomize.py").write_text(AT_MKDIR.format(name=name))
    ended = trainconsole(*IRIS, cwd=tmp_path, PYTHONPATH=str(tmp_path / "shim"))
    assert ended.code == 128 + signal.Signals[name]
    assert ended.err == f"trainconsole: {name} before training began: nothing kept\n"
    assert [*(tmp_path / "runs").iterdir()] == []


def test_a_host_that_is_ended_as_it_starts_leaves_no_directory(tmp_path):
    prepared = prepare(
        config("iris"), "iris", runs=tmp_path / "runs", data_dir=tmp_path, device="cpu", threads=1
    )
    pid = start_detached(prepared)
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while has_ended(pid) is None:
        assert time.monotonic() < deadline, "stuck"
        time.sleep(0.02)
    assert has_ended(pid) == 143
    assert not prepared.path.exists()


AT_IMPORT = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize(
    "module",
    ["click", "trainconsole.tui.cli.verbs.recorded_runs", "trainconsole.engine.runs.launch", "numpy", "rich"],
)
def test_ctrl_c_in_the_first_half_second_says_nothing_and_leaves_nothing(tmp_path, module):
    (tmp_path / "shim").mkdir()
    (tmp_path / "shim" / "sitecustomize.py").write_text(AT_IMPORT.format(module=module))
    ended = trainconsole(*IRIS, "--set", "epochs=1", cwd=tmp_path, PYTHONPATH=str(tmp_path / "shim"))
    assert ended.code in (130, -signal.SIGINT), ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "runs").exists() or [*(tmp_path / "runs").iterdir()] == []
