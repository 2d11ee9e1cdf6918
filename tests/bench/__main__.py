"""`make bench`: every part in a process of its own, one after the other, and one table.

make bench                      all of it, under 15 minutes
make bench ARGS="mlp cnn"       some parts
make bench ARGS=--write         and write docs/bench.md
"""

import argparse
import importlib
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.table import Row, markdown, text

ROOT = Path(__file__).parents[2]

PARTS = {
    "mlp": "bench.mlp:mnist",
    "iris": "bench.mlp:iris",
    "peers": "bench.peers:rows",
    "cnn": "bench.cnn:rows",
    "memory": "bench.memory:rows",
    "saving": "bench.saving:rows",
    "help": "bench.start:rows",
    "opening": "bench.opening:rows",
    "attached": "bench.attached:rows",
    "sent": "bench.attached:sent",
    "keys": "bench.keys:rows",
    "long": "bench.longrun:rows",
}
"""Name: the function that yields its rows."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--write", action="store_true", help="write docs/bench.md")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        run_here(options.parts[0])
        return
    rows: list[Row] = []
    for part in options.parts or PARTS:
        rows += run_apart(part)
        if options.write:
            write(rows)
    print(text(rows))


def run_apart(part: str) -> list[Row]:
    began = time.monotonic()
    command = [sys.executable, "-m", "bench", "--inside", part]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(f"bench {part} failed")
    print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return msgspec.json.decode(done.stdout, type=list[Row])


def run_here(part: str) -> None:
    """In a process of its own: what a part prints goes to stderr, its rows to stdout. Threads that stand
    still between their turns end with it."""
    out = os.dup(1)
    os.dup2(2, 1)
    module, _, function = PARTS[part].partition(":")
    rows = list(getattr(importlib.import_module(module), function)())
    os.write(out, msgspec.json.encode(rows))
    os._exit(0)


def write(rows: list[Row]) -> None:
    from importlib.metadata import version

    now = datetime.now(UTC).date()
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "numpy"))
    where = f"{cpu()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    path = ROOT / "docs" / "bench.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f"# Measured\n\n{now}, {where}, {versions}. `make bench ARGS=--write` made this page.\n\n"
        "Ratios are of turns taken one after the other in one process, a fraction of a second each: their\n"
        "median, and between which values the middle half of them lies.\n\n"
        f"{markdown(rows)}\n"
    )


def cpu() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
