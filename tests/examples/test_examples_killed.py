"""kill -9 at any moment, again and again: the weights are those of a run that nobody killed."""

import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from support.forks import Forks, is_alive
from support.process import PATIENCE, trainconsole

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import Checkpoints, RunConfig
from trainconsole.engine.protocol.events import Finished
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs import scripts
from trainconsole.engine.runs.launch import prepare, started_for
from trainconsole.engine.runs.scripts import Start
from trainconsole.engine.transport.client import Client

KILLS = int(os.environ.get("TRAINCONSOLE_KILLS", "4"))
CASES = {
    "attached.py": ["--epochs", "20"],
    "char_transformer.py": ["--steps", "40", "--eval-interval", "5"],
}
OFTEN = Checkpoints(step_seconds=0.05, epoch_seconds=0.0)


def prepared(script: Path, args: list[str], cwd: Path) -> Start:
    """A run that saves often, as `trainconsole run` prepares it."""
    command = [sys.executable, str(script), *args]
    config = RunConfig(script=scripts.described(command, cwd, script), checkpoint=OFTEN)
    return started_for(prepare(config, script.stem, runs=cwd / "runs", data_dir=cwd))


def start(forks: Forks, script: Path, args: list[str], cwd: Path, given: Start) -> int:
    env = {scripts.VARIABLE: scripts.environment(given)[scripts.VARIABLE]}
    return forks.start(script, *args, cwd=cwd, XDG_STATE_HOME=os.environ["XDG_STATE_HOME"], **env)


def finished(run: Path) -> Finished | None:
    events = run_directory.read_events(run)[0] if (run / "events.jsonl").exists() else ()
    return next((event for event in events if isinstance(event, Finished)), None)


def rows(run: Path) -> int:
    file = run / "metrics.bin"
    return file.stat().st_size // 40 if file.exists() else 0


def wait_a_moment(chance: random.Random, run: Path, pid: int) -> None:
    """Any time after the start; in the middle of a checkpoint; while commands arrive."""
    before, kind = rows(run), chance.choice(["start", "any", "checkpoint", "asked"])
    deadline = time.monotonic() + (chance.uniform(0, 2) if kind == "start" else PATIENCE)
    while time.monotonic() < deadline and rows(run) == before and is_alive(pid):
        time.sleep(0.002)
    until = time.monotonic() + chance.uniform(0, 0.3)
    while time.monotonic() < until:
        if kind == "checkpoint" and any((run / "checkpoints").glob(".*.pt.*")):
            return
        time.sleep(0.002)
    if kind == "asked":
        with contextlib.suppress(UserError, OSError), Client.of(run) as client:
            client.send("checkpoint", "test")
            client.send("evaluate", "test")
            time.sleep(chance.uniform(0, 0.05))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_kills_change_nothing(examples: Path, tmp_path: Path, forks: Forks, name: str) -> None:
    chance, script, args = random.Random(name), examples / name, CASES[name]
    undisturbed = prepared(script, args, tmp_path)
    start(forks, script, args, tmp_path, undisturbed)
    assert forks.wait() == 0
    expected = finished(Path(undisturbed.path))
    assert expected is not None
    kills, reached = 0, []
    while kills < KILLS:
        given = prepared(script, args, tmp_path)
        run = Path(given.path)
        while kills < KILLS and finished(run) is None:
            pid = start(forks, script, args, tmp_path, given)
            wait_a_moment(chance, run, pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            code = forks.wait()
            assert code in (0, -signal.SIGKILL), (tmp_path / "printed").read_text()[-2000:]
            kills += code == -signal.SIGKILL
            reached.append(rows(run))
            given = Start(path=str(run), resume=True)
        if finished(run) is None:
            ended = trainconsole("resume", str(run), "--no-ui", cwd=tmp_path, OMP_NUM_THREADS="1")
            assert ended.code == 0, ended.err
        end = finished(run)
        assert end is not None
        assert (end.step, end.weights_sha256) == (expected.step, expected.weights_sha256), reached
    assert len(set(reached)) > KILLS // 3, "the moments were all alike"
