"""Memory of a host that trains for long: the `iris` preset at 20 and at 200 thousand steps."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.table import Row
from trainconsole.engine.record.metric_rows import ROW

FEW, MANY = 20_000, 200_000
NAME = "memory"


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            few = at(process, Path(folder), FEW)
            many = at(process, Path(folder), MANY)
        finally:
            process.terminate()
            process.wait()
    grown = many - few
    yield Row("iris MLP: host's memory at 200,000 steps", "at 20,000", grown, grown, grown, 5, "below", "MB")
    yield Row("iris MLP: host's memory at 20,000 steps", "", few, few, few, unit="MB")


def command(folder: str) -> list[str]:
    """Epochs of 6 steps, more than are needed, each with its evaluation and its event."""
    options = ("--no-ui", "--threads", "1", "--set", f"epochs={MANY}", "--runs-dir", folder, "--name", NAME)
    return [sys.executable, "-m", "trainconsole.tui", "--preset", "iris", *options]


def at(process: subprocess.Popen[bytes], folder: Path, steps: int) -> float:
    """Resident memory in MB once so many steps are in the record."""
    while True:
        if process.poll() is not None:
            raise RuntimeError("the host ended")
        if recorded(folder) >= steps:
            return resident(process.pid)
        time.sleep(0.1)


def recorded(folder: Path) -> int:
    files = [*folder.glob(f"*{NAME}*/metrics.bin")]
    return files[0].stat().st_size // ROW.itemsize if files else 0


def resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
