"""Where the command begins: what is done first and last, so that whatever happens is said in words."""

import signal
import sys

NO_WINDOWS = (
    "trainconsole: it needs Linux or macOS: a run lives on without its terminal, behind a Unix socket\n"
    "On Windows it runs in WSL: wsl --install, then install it there.\n"
)


def main() -> None:
    """`trainconsole`, with the arguments of this process."""
    if sys.platform == "win32":
        sys.stderr.write(NO_WINDOWS)
        sys.exit(2)
    # What is imported now can take half a second: Ctrl-C is answered by the system, not by a traceback.
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from trainconsole.tui.cli import crash_report
    from trainconsole.tui.cli.main import main as command

    with crash_report.spread():
        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command()
