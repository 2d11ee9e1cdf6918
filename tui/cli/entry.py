"""Where the command begins: what is done first and last, so that whatever happens is said in words."""

import signal


def main() -> None:
    """`trainconsole`, with the arguments of this process."""
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
