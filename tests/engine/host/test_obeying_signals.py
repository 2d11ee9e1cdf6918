"""What a process that trains does at each signal, in a process of its own: no training, real signals."""

import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from trainconsole.engine.common import signals

PROGRAM = """
import os, signal, sys, time
from trainconsole.engine.common import signals
if "held" in sys.argv:
    signals.hold()
    os.kill(os.getpid(), signal.SIGTERM)
from trainconsole.engine.host import process
class Host:
    def goes_on_after(self, name): return name in sys.argv[1].split(",")
    def interrupt(self, name): print(name, flush=True)
process.AGAIN = 0.0
print("ready", flush=True)
process.handle_signals(Host(), lambda: print("leaving", flush=True))
for name in sys.argv[2].split(","):
    time.sleep(0.01)
    os.kill(os.getpid(), signal.Signals[name])
print("still there", flush=True)
"""


def sent(names: Sequence[str], *, goes_on: str = "-", held: str = "") -> tuple[int, list[str]]:
    """Exit code and what was printed when `names` come one after the other."""
    argv = [sys.executable, "-c", PROGRAM, goes_on, ",".join(names), held]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.split("\n")[1:-1]


def test_the_codes_are_those_of_a_shell() -> None:
    assert signals.CODES["SIGINT"] == 130
    assert signals.CODES["SIGTERM"] == 143
    assert all(signals.CODES[name] == 128 + signal.Signals[name] for name in signals.CODES)


def test_every_warning_is_passed_on_once_and_a_repeated_one_again() -> None:
    """The kernel sends SIGXCPU once a second until the hard limit: that is no demand to leave now."""
    names = [name for name in signals.CODES if name not in signals.DEMANDS]
    assert {"SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGALRM", "SIGVTALRM", "SIGPROF"} <= {*names}
    assert sent([*names, *names]) == (0, [*names, *names, "still there"])


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM", "SIGQUIT", "SIGUSR1", "SIGXCPU"])
@pytest.mark.parametrize("second", signals.DEMANDS)
def test_a_demand_after_any_other_leaves_at_once(first: str, second: str) -> None:
    assert sent([first, second]) == (signals.CODES[second], [first, "leaving"])


def test_a_notice_at_which_the_run_goes_on_is_no_first_signal() -> None:
    names = ["SIGUSR1", "SIGTERM"]
    assert sent(names, goes_on="SIGUSR1") == (0, [*names, "still there"])


def test_a_hang_up_is_nothing() -> None:
    assert sent(["SIGHUP", "SIGHUP"]) == (0, ["still there"])


def test_what_was_held_back_comes_once_somebody_hears_it() -> None:
    assert sent(["SIGUSR1"], held="held") == (0, ["SIGTERM", "SIGUSR1", "still there"])
