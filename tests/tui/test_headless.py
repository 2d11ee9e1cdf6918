"""What a person sees of a run without a console: on a terminal, in a file, and when nobody listens."""

import os
import re
import subprocess

import pytest
from process import environment, only_run, trainconsole
from terminal import COLOUR, Terminal, end, plain, start, wait_for

from trainconsole.engine import checkpoint, record

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

LONG = ["--preset", "iris", "--no-ui", "--set", "epochs=100000"]


def whole(run):
    """The record is whole: it ends with `finished`, its digest is that of last.pt, no row is missing."""
    events, _ = record.read_events(run)
    rows = record.read_rows(run)
    assert rows["step"].tolist() == list(range(1, events[-1].step + 1))
    assert (run / "events.jsonl").read_bytes().endswith(b"\n")
    state = checkpoint.load(run / "checkpoints" / "last.pt")
    assert state["position"]["step"] == events[-1].step
    return events[-1]


def test_redirected_it_prints_a_line_an_epoch_and_the_result(tmp_path):
    (tmp_path / "noisy.py").write_text(NOISY)
    ended = trainconsole(
        *("--preset", "iris", "--no-ui", "--set", "epochs=5", "--set", "model.name=noisy:Net"),
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
    assert any(line.startswith("evaluated at step 12") for line in progress)
    assert any("train 96" in line and "test 30" in line for line in progress)
    assert any("15 parameters" in line for line in progress)
    finished = whole(run)
    assert re.search(rf"test +loss .* accuracy {finished.test['accuracy']:.4f}", ended.out)
    assert finished.weights_sha256 in ended.out
    assert "confusion" in ended.out
    assert all(name in ended.out for name in ("setosa", "versicolor", "virginica"))
    assert str(run) in ended.out
    assert "loss" in ended.out.splitlines()[0]
    assert max(map(len, ended.out.splitlines())) <= max(120, len(str(run)) + 20)
    assert "word" not in ended.out + ended.err
    log = (run / "host.log").read_text()
    assert log.count("a word from the model") == 1
    assert log.count("another word") > 30


def test_on_a_terminal_there_is_a_bar_and_nothing_of_it_is_left(tmp_path):
    with Terminal("--preset", "iris", "--no-ui", "--set", "epochs=150", cwd=tmp_path) as terminal:
        assert terminal.end() == 0
        sent, left = terminal.sent, terminal.left
    frames = [line for line in re.split(r"[\r\n]", plain(sent)) if "it/s" in line]
    assert frames, "no bar was drawn"
    shown = " ".join(frames)
    assert re.search(r"epoch \d+/150", shown)
    assert re.search(r"step [\d,]+", shown)
    assert re.search(r"\d\d:\d\d left", shown)
    assert re.search(r"loss \d", shown)
    assert "lr 1e-3" in shown
    assert max(len(frame) for frame in frames) <= 80
    assert not any("it/s" in line or "━" in line for line in left)
    assert sum(line.startswith("epoch ") for line in left) == 150
    assert any(line.startswith("run ") for line in left)
    chart = [line for line in left if "┤" in line]
    assert chart
    assert max(map(len, chart)) <= 80
    assert COLOUR.search(sent)
    assert sent.rfind("\x1b[?25h") >= sent.rfind("\x1b[?25l")


def test_no_color_means_no_colour(tmp_path):
    with Terminal(
        "--preset", "iris", "--no-ui", "--set", "epochs=60", cwd=tmp_path, NO_COLOR="1"
    ) as terminal:
        assert terminal.end() == 0
        assert "it/s" in terminal.sent
        assert COLOUR.search(terminal.sent) is None
        assert any(line.startswith("run ") for line in terminal.left)


def test_a_narrow_terminal_gets_a_bar_that_fits(tmp_path):
    args = ["--preset", "iris", "--no-ui", "--set", "epochs=60"]
    with Terminal(*args, cwd=tmp_path, width=40) as terminal:
        assert terminal.end() == 0
        frames = [
            line for line in re.split(r"[\r\n]", plain(terminal.sent)) if re.search(r"epoch \d+/60", line)
        ]
        assert frames
        assert max(len(frame) for frame in frames) <= 40
        assert not any(re.search(r"epoch \d+/60", line) for line in terminal.left)


def test_a_terminal_that_goes_away_does_not_end_training(tmp_path):
    """Also SIGHUP is survived: the session of the terminal gets one."""
    with Terminal(*LONG[:3], "--set", "epochs=400", cwd=tmp_path) as terminal:
        terminal.read_until(lambda sent: "epoch 3 " in sent)
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
        *LONG[:3], "--set", "epochs=30", *more, cwd=tmp_path, stdout=reader.stdin, stderr=reader.stdin
    )
    code, _, _ = end(process)
    reader.stdin.close()
    assert code == 0
    assert whole(only_run(tmp_path)).reason == "completed"


def test_streams_that_were_never_open_do_not_end_training(tmp_path):
    script = 'exec "$@" >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *process_args("--set", "epochs=3")],
        cwd=tmp_path,
        env=environment(),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    run = only_run(tmp_path)
    assert whole(run).reason == "completed"
    assert len((run / "metrics.bin").read_bytes()) == 18 * 40


def process_args(*more: str) -> list[str]:
    from process import command

    return command("--preset", "iris", "--no-ui", *more)


def test_a_run_is_followed_while_it_trains(tmp_path):
    """Rows and events are there to be read long before the end."""
    process = start(*LONG, cwd=tmp_path)
    runs = tmp_path / "runs"
    wait_for(
        lambda: runs.is_dir() and any(len(record.read_rows(run)) > 50 for run in runs.iterdir()), process
    )
    run = only_run(tmp_path)
    events, _ = record.read_events(run)
    assert [type(event).__name__ for event in events][:2] == ["Started", "EpochEnded"]
    assert record.read_meta(run)["data"]["sizes"]["train"] == 96
    assert os.path.getsize(run / "metrics.bin") % 40 == 0
    process.kill()
    end(process)
