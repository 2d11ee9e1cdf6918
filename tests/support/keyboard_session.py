"""A session at the keyboard: a run is started, watched, steered, lost, found again, stopped, replayed."""

import re
from collections.abc import Callable
from pathlib import Path

from support.emulator import Emulator
from support.hosting import until
from support.process import only_run, trainconsole
from trainconsole.engine.protocol.events import CommandApplied, Finished
from trainconsole.engine.record import run_directory

LONG = ("--preset", "digits", "--threads", "1", "--set", "epochs=3000")
STEERED = ["schedule", "optimizer", "undo", "lr"]
GOES_ON = 50
"""Steps after which a host has not been disturbed."""

Connect = Callable[..., Emulator]
"""From the arguments of the command, and the terminal's `width` and `height`."""
Cut = Callable[[Emulator], None]


def braille(text: str) -> str:
    return "".join(re.findall("[\u2801-\u28ff]", text))


def trains(text: str) -> bool:
    return "● training" in text and len(braille(text)) > 20


def steer(console: Emulator) -> None:
    """Change the schedule, swap the optimizer, take that back, halve the rate: using what the screen says."""
    console.press("s")
    console.until("cosine")
    console.press("l", "enter")
    console.until("✓ schedule linear")
    console.press("o")
    console.until("carried over")
    console.press("s", "enter")
    console.until("✓ optimizer sgd")
    console.press("u")
    console.until("✓ undo")
    console.press("-")
    console.until("✓ lr x0.5")


def told(run: Path) -> list[str]:
    """The first words of the commands that were applied."""
    return [e.command.split()[0] for e in run_directory.read_events(run)[0] if isinstance(e, CommandApplied)]


def goes_on(run: Path) -> None:
    """Wait until `run` has trained further."""
    seen = run_directory.count_rows(run)
    until(lambda: run_directory.count_rows(run) > seen + GOES_ON, "later step")


def session(connect: Connect, cut: Cut, cwd: Path) -> None:
    """All of it in `cwd`, over a line that `connect` makes and `cut` breaks."""
    with connect(*LONG) as console:
        console.until("loading torch")
        first = console.until(trains)
        console.until(lambda text: trains(text) and braille(text) != braille(first))
        run = only_run(cwd)
        steer(console)
        cut(console)
        assert console.process.wait(30) != 0
    assert told(run) == STEERED
    goes_on(run)
    with connect("attach", width=80, height=24) as console:
        console.until(trains)
        console.press("e")
        console.until("keep the last")
        console.press("l")
        console.until("Stopped early")
        console.press("q")
        assert console.end() == 0
        assert console.echoes
    assert told(run) == [*STEERED, "stop"]
    replays(run, cwd)


def replays(run: Path, cwd: Path) -> None:
    """The same weights again, headless."""
    last = run_directory.read_events(run)[0][-1]
    assert isinstance(last, Finished)
    again = trainconsole("replay", run.name, "--no-ui", "--json", cwd=cwd)
    assert again.code == 0, again.err
    (ended,) = again.of("finished")
    assert ended["weights_sha256"] == last.weights_sha256
