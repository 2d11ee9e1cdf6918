"""A run that trains in a process of its own, at about half a millisecond a step and with a noisy loss."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.terminal import PATIENCE, environment, ours
from trainconsole.engine.record import run_directory
from trainconsole.engine.transport import registry

SETTINGS = (
    "epochs=100000",
    "data.n_samples=60000",
    "data.n_features=128",
    "model.hidden=[128]",
    "early_stopping.patience=100000",
)
WARM = 2000
"""Steps before anything is measured."""


@contextmanager
def secluded() -> Iterator[Path]:
    """A folder for runs, and a list of live hosts, that nobody else has; what still trains in the end is
    killed."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_STATE_HOME"] = name
        try:
            yield Path(name)
        finally:
            kill_hosts()


def kill_hosts() -> None:
    for host in registry.live():
        os.kill(host.pid, signal.SIGKILL)
        while registry.is_alive(host):
            time.sleep(0.01)


@contextmanager
def training(folder: Path, threads: int) -> Iterator[Path]:
    """The directory of a run that is under way."""
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    argv = ours("--preset", "classification", "--no-ui", "--threads", str(threads), *settings)
    process = subprocess.Popen(argv, cwd=folder, env=environment(), stdout=-3, stderr=-3, stdin=-3)
    try:
        yield _begun(process, folder / "runs")
    finally:
        process.kill()
        process.wait()


def _begun(process: subprocess.Popen[bytes], runs: Path) -> Path:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        host = next((host for host in registry.live() if host.pid == process.pid), None)
        if host is not None and run_directory.count_rows(host.path) > WARM:
            return host.path
        time.sleep(0.1)
    raise RuntimeError(f"no run began in {runs}")


def seconds_a_step(run: Path, first: int, last: int) -> float:
    """The mean over rows `first` to `last`, evaluations between two epochs left out."""
    rows = run_directory.read_rows(run, first, last - first)
    took, same = np.diff(rows["time"]), np.diff(rows["epoch"]) == 0
    return float(took[same].mean())
