"""What a person sees of a run without a console: on a terminal, in a file, and when nobody listens."""

import os
import re
import subprocess

import pytest
from support.emulator import COLOUR, Emulator, plain
from support.process import command, end, environment, only_run, rows_there, start, trainconsole, wait_for

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.record import run_directory

NOISY = """
import sys
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 3))
        print("a word from the model")
    def forward(self, x):
        print("another", "word")
        return super().forward(x)
"""

IRIS = ["--preset", "iris", "--no-ui", "--threads", "1"]


def whole(run):
    """The record is whole: it ends with `finished`, its digest is that of last.pt, no row is missing."""
    events, _ = run_directory.read_events(run)
    rows = run_directory.read_rows(run)
    assert rows["step"].tolist() == list(range(1, events[-1].step + 1))
    assert (run / "events.jsonl").read_bytes().endswith(b"\n")
    state = checkpoint.load(run / "checkpoints" / "last.pt")
    assert state["position"]["step"] == events[-1].step
    return events[-1]


def test_redirected_it_prints_a_line_an_epoch_and_the_result(tmp_path):
    (tmp_path / "noisy.py").write_text(NOISY)
    ended = trainconsole(
        *(*IRIS, "--set", "epochs=5", "--set", "model.name=noisy:Net"),
        *("--at", "step 9: lr x0.5", "--at", "step 10: lr 1000", "--at", "epoch 3: evaluate"),
        cwd=tmp_path,
        PYTHONUNBUFFERED="",
    )
    run = only_run(tmp_path)
    assert ended.code == 0
    assert "\x1b" not in ended.out + ended.err
    assert "\r" not in ended.out + ended.err
    progress = ended.err.splitlines()
    epochs = [line for line in progress if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1", "2", "3", "4", "5"]
    assert all("loss" in line and "val" in line and "lr" in line for line in epochs)
    assert any("lr x0.5" in line and "0.001 -> 0.0005" in line for line in progress)
    assert any("rejected" in line and "lr 1000" in line for line in progress)
    assert any(line.startswith("evaluated") and "step 12" in line for line in progress)
    assert any("train 96" in line and "test 30" in line for line in progress)
    assert any("15 parameters" in line for line in progress)
    finished = whole(run)
    assert re.search(rf"test +loss .* accuracy {finished.test['accuracy']:.4f}", ended.out)
    assert finished.weights_sha256 in ended.out
    assert "confusion" in ended.out
    assert all(name in ended.out for name in ("setosa", "versicolor", "virginica"))
    assert re.search(rf"^run +\S*{run.name}$", ended.out, re.MULTILINE)
    assert "loss" in ended.out.splitlines()[0]
    assert max(map(len, ended.out.splitlines())) <= 100
    assert "word" not in ended.out + ended.err
    log = (run / "host.log").read_text()
    assert log.count("a word from the model") == 1
    assert log.count("another word") > 30


TALL = 400
"""Lines: nothing scrolls off."""


def frames(sent, epochs):
    """The bar as it was drawn, time after time."""
    return [line for line in re.split(r"[\r\n]", plain(sent)) if re.search(rf"\b\d+/{epochs}\b", line)]


def test_on_a_terminal_there_is_a_bar_and_nothing_of_it_is_left(tmp_path):
    with Emulator(*IRIS, "--set", "epochs=250", cwd=tmp_path, width=80, height=TALL) as terminal:
        assert terminal.end() == 0
        sent, left = terminal.sent.decode(), terminal.lines
    drawn = frames(sent, 250)
    assert drawn, "no bar was drawn"
    assert max(map(len, drawn)) <= 80
    full = max(drawn, key=len)
    assert re.search(r"\d+/250 .*[\d,]+ .*\d+(/s| steps/s|it/s) .*\d\d:\d\d", full)
    assert re.search(r"loss \d", full)
    assert re.search(r"acc\w* \d", full)
    assert "lr 1e-3" in full
    assert not frames("\n".join(left), 250)
    assert not any("━" in line for line in left)
    assert sum(line.startswith("epoch ") for line in left) == 250
    assert any(line.startswith("run ") for line in left)
    assert max(map(len, left)) <= 80
    assert COLOUR.search(sent)
    assert sent.rfind("\x1b[?25h") > sent.rfind("\x1b[?25l")


def test_a_narrow_terminal_without_colour(tmp_path):
    with Emulator(
        *IRIS, "--set", "epochs=250", cwd=tmp_path, width=40, height=TALL, NO_COLOR="1"
    ) as terminal:
        assert terminal.end() == 0
        sent, left = terminal.sent.decode(), terminal.lines
        assert COLOUR.search(sent) is None
        drawn = frames(sent, 250)
        assert drawn
        assert max(map(len, drawn)) <= 40
        assert not frames("\n".join(left), 250)
        assert any(line.startswith("run ") for line in left)


def test_a_terminal_that_goes_away_does_not_end_training(tmp_path):
    """Also SIGHUP is survived: the session of the terminal gets one."""
    with Emulator(*IRIS, "--set", "epochs=400", cwd=tmp_path) as terminal:
        terminal.until(lambda text: re.search(r"epoch +3 ", text) is not None)
        terminal.hang_up()
        assert terminal.process.wait(120) == 0
    assert whole(only_run(tmp_path)).reason == "completed"


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["plain", "json"])
def test_a_closed_pipe_does_not_end_training(tmp_path, more):
    """Both streams go to a process that has left; the exit code is still that of the run."""
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    assert reader.stdin is not None
    reader.wait()
    process = start(
        *IRIS, "--set", "epochs=30", *more, cwd=tmp_path, stdout=reader.stdin, stderr=reader.stdin
    )
    code, _, _ = end(process)
    reader.stdin.close()
    assert code == 0
    assert whole(only_run(tmp_path)).reason == "completed"


def test_streams_that_were_never_open_do_not_end_training(tmp_path):
    script = 'exec "$@" >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command(*IRIS, "--set", "epochs=3")],
        cwd=tmp_path,
        env=environment(),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    run = only_run(tmp_path)
    assert whole(run).reason == "completed"
    assert len((run / "metrics.bin").read_bytes()) == 18 * 40


def test_a_run_is_followed_while_it_trains(tmp_path):
    """Rows and events are there to be read long before the end."""
    process = start(*IRIS, "--set", "epochs=100000", cwd=tmp_path)
    wait_for(lambda: rows_there(tmp_path) > 50, process)
    run = only_run(tmp_path)
    events, _ = run_directory.read_events(run)
    assert [type(event).__name__ for event in events][:2] == ["Started", "EpochEnded"]
    assert run_directory.read_meta(run).data.sizes["train"] == 96
    assert os.path.getsize(run / "metrics.bin") % 40 == 0
    process.kill()
    end(process)
