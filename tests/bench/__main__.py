"""`make bench`: every part in a process of its own, and one table.

make bench                      all of it, under 15 minutes
make bench ARGS="mlp cnn"       some parts
make bench ARGS=--write         all of it, and write docs/bench.md
"""

import argparse
import importlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.table import Row, markdown, text

ROOT = Path(__file__).parents[2]

PARTS = {
    "mlp": "bench.mlp:mnist",
    "iris": "bench.mlp:iris",
    "own": "bench.own_loop:rows",
    "peers": "bench.peers:rows",
    "cnn": "bench.cnn:speed",
    "accuracy": "bench.cnn:accuracy",
    "memory": "bench.memory:rows",
    "saving": "bench.saving:rows",
    "help": "bench.start:rows",
    "opening": "bench.opening:rows",
    "attached": "bench.attached:rows",
    "sent": "bench.attached:sent",
    "connections": "bench.connections:rows",
    "keys": "bench.keys:rows",
    "long": "bench.longrun:rows",
}
"""Name: the function that yields its rows."""
UNTIMED = ("accuracy", "memory")
"""What takes no time of anything, and so runs side by side; all others one after the other."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--write", action="store_true", help="write docs/bench.md")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write and options.parts:
        parser.error("--write is for all parts: the page would lose the others")
    if options.inside:
        run_here(options.parts[0])
        return
    rows: list[Row] = []
    failed: list[str] = []
    for group in grouped(options.parts or [*PARTS]):
        for part, found in run_apart(group):
            rows += found or []
            failed += [part] if found is None else []
        if options.write:
            write(rows)
    print(text(rows))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def grouped(parts: Sequence[str]) -> list[list[str]]:
    """Parts that may run at once are together, at the place of the first of them."""
    together = [part for part in parts if part in UNTIMED]
    return [together if part in together else [part] for part in parts if part not in together[1:]]


def run_apart(parts: Sequence[str]) -> list[tuple[str, list[Row] | None]]:
    """The rows of parts that run at once, each in a process of its own; None of one that failed."""
    began = time.monotonic()
    running = {
        part: subprocess.Popen([sys.executable, "-m", "bench", "--inside", part], stdout=subprocess.PIPE)
        for part in parts
    }
    told = {part: process.communicate()[0] for part, process in running.items()}
    print(f"{', '.join(parts)}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return [
        (part, None if running[part].returncode else msgspec.json.decode(out, type=list[Row]))
        for part, out in told.items()
    ]


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
        f"{markdown(rows)}\n{limits(rows)}"
    )


def limits(rows: Sequence[Row]) -> str:
    """What is not met, and why."""
    known = [f"- {row.what}: {row.limit}\n" for row in rows if row.met is False and row.limit]
    return "".join(["\nNot met:\n\n", *known]) if known else ""


def cpu() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
