"""Nothing is lost: kill -9 at random moments, and every decision is there in the end, to the bit."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from support.process import PATIENCE, command, environment, only_run, trainconsole

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.events import AnyEvent, Branched, CommandApplied, Finished
from trainconsole.engine.record import run_directory
from trainconsole.engine.transport import client

KILLS = 20

RUN = [
    "--preset",
    "digits",
    "--threads",
    "1",
    "--set",
    "epochs=60",
    "--set",
    "model.dropout=0.2",
    "--set",
    "regularisation.augment=0.5",
    "--set",
    "checkpoint.epoch_seconds=0.05",
    "--set",
    "checkpoint.step_seconds=0.02",
    "--at",
    "step 100: lr x0.5",
    "--at",
    "step 333: optimizer sgd lr=0.02 momentum=0.9",
    "--at",
    "step 500: undo",
    "--at",
    "step 600: schedule linear",
    "--at",
    "step 700: rewind step 650",
    "--at",
    "epoch 25: set weight_decay 0.02",
]
SENT = ["lr x0.9", "lr x1.1", "set l1 0.0001", "batch 24", "set clip.norm 2"]


class Life:
    """One process of the run, in a session of its own so that all of it can be killed."""

    def __init__(self, cwd: Path, *args: str) -> None:
        self.process = subprocess.Popen(
            command(*args, "--no-ui", "--json"),
            cwd=cwd,
            env=environment(XDG_STATE_HOME=str(cwd / "state")),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(cwd / "err").open("ab"),
            start_new_session=True,
        )

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=60)


@pytest.fixture
def lives() -> Iterator[list[Life]]:
    begun: list[Life] = []
    yield begun
    for life in begun:
        life.kill()


def wait_for(condition: Callable[[], bool], life: Life) -> None:
    """Until `condition()` or the end of the process, looking often."""
    deadline = time.monotonic() + PATIENCE
    while not life.over and not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.0005)


def rows(cwd: Path) -> int:
    found = list((cwd / "runs").glob("*/metrics.bin"))
    return found[0].stat().st_size // 40 if found else 0


def half_written(cwd: Path) -> bool:
    return any((cwd / "runs").glob("*/checkpoints/.*.pt.*"))


def send(cwd: Path, text: str) -> None:
    """As `ctl` does; where the host dies first, the decision was never acknowledged."""
    with contextlib.suppress(UserError, OSError), client.Client.of(only_run(cwd)) as link:
        link.send(text, "test")


def moment(kind: str, cwd: Path, life: Life, chance: random.Random) -> None:
    """Wait for a moment of this kind."""
    if kind == "start-up":
        wait_for(lambda: (cwd / "runs").is_dir() and any((cwd / "runs").glob("*/config.toml")), life)
        time.sleep(chance.uniform(0, 3))
        return
    before = rows(cwd)
    wait_for(lambda: rows(cwd) > before, life)
    send(cwd, chance.choice(SENT))
    if kind == "checkpoint":
        wait_for(lambda: half_written(cwd), life)
    elif kind == "evaluation":
        seen = len(events(cwd))
        wait_for(lambda: len(events(cwd)) > seen, life)
    else:
        time.sleep(chance.uniform(0, 0.1))


def events(cwd: Path) -> list[AnyEvent]:
    return run_directory.read_events(only_run(cwd))[0]


def taken_back(decision: CommandApplied, written: Sequence[AnyEvent]) -> bool:
    """Whether an undo or a rewind went behind it."""
    return any(
        isinstance(event, Branched)
        and event.why != "resume"
        and event.seq > decision.seq
        and event.at_step <= decision.step
        for event in written
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_lose_no_decision(
    tmp_path: Path, lives: list[Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    chance = random.Random(20)
    kinds = [chance.choice(["step", "checkpoint", "evaluation", "start-up"]) for _ in range(KILLS)]
    # Long enough that twenty lives do not suffice to finish it.
    lives.append(Life(tmp_path, *RUN))
    killed = []
    for kind in kinds:
        moment(kind, tmp_path, lives[-1], chance)
        if not lives[-1].over:
            killed.append(kind)
        lives[-1].kill()
        lives.append(Life(tmp_path, "resume", "last"))
    assert lives[-1].process.wait(timeout=PATIENCE) == 0, (tmp_path / "err").read_text()
    run = only_run(tmp_path)
    written = run_directory.read_events(run)[0]
    assert [event.seq for event in written] == list(range(len(written)))
    assert len(killed) >= KILLS // 2
    finished = written[-1]
    assert isinstance(finished, Finished)
    sent = [e for e in written if isinstance(e, CommandApplied) and e.origin == "test"]
    assert sent, "no command got through between two kills"
    for decision in sent:
        assert (decision.step, decision.command) in finished.lineage or taken_back(decision, written)
    again = trainconsole("replay", run.name, "--no-ui", cwd=tmp_path)
    assert again.code == 0, again.out + again.err
    assert f"identical: sha256 {finished.weights_sha256}" in again.out
