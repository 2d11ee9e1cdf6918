"""A run without a console: progress on stderr, the result on stdout. Owns the process while it trains."""

import os
from typing import NoReturn, Protocol

import msgspec

from trainconsole.engine import live, process
from trainconsole.engine.host import Host
from trainconsole.engine.launch import Launch
from trainconsole.engine.messages import Event, Finished, Status
from trainconsole.tui.begin import Conclude
from trainconsole.tui.progress import LivePrinter, PlainPrinter
from trainconsole.tui.result import result
from trainconsole.tui.runs import still_training
from trainconsole.tui.streams import Stream


class Printer(Protocol):
    """Shows a run as it goes. Never raises for a terminal that is gone."""

    def event(self, event: Event) -> None: ...

    def status(self, status: Status) -> None: ...

    def close(self) -> None: ...


class JsonPrinter:
    """Events as they stand in events.jsonl, one line each."""

    def __init__(self, out: Stream) -> None:
        self._out = out

    def event(self, event: Event) -> None:
        self._out.write(msgspec.json.encode(event).decode() + "\n")
        self._out.flush()

    def status(self, status: Status) -> None:
        """Nothing: stdout carries the events and nothing else."""

    def close(self) -> None:
        self._out.flush()


def run(launch: Launch, *, as_json: bool, conclude: Conclude | None = None) -> NoReturn:
    """Train in this process until the run ends, then exit with its code.

    `conclude` is asked after a run that finished: for another exit code, and a last line of the result.
    """
    out, err = Stream(os.dup(1)), Stream(os.dup(2))
    if notice := still_training(live.live()):
        err.write(f"{notice}\n")
        err.flush()
    host = Host(launch)
    printer = JsonPrinter(out) if as_json else progress_printer(err)
    process.handle_signals(host, printer.close)
    process.keep_prints(launch)
    host.start()
    last = process.follow(host, printer)
    printer.close()
    host.close()
    outcome = host.outcome
    if isinstance(last, Finished) and not as_json:
        out.write(result(launch.path, last, width=out.width, color=out.is_terminal))
    if outcome is not None and outcome.error:
        err.write(f"trainconsole: {outcome.error}\n")
    code = outcome.code if outcome is not None else 1
    if isinstance(last, Finished) and conclude is not None:
        code, text = conclude()
        (err if as_json else out).write(f"{text}\n")
    out.flush()
    err.flush()
    process.leave(code)


def progress_printer(err: Stream) -> Printer:
    """A bar on a terminal, a line an epoch elsewhere."""
    return LivePrinter(err) if err.is_terminal else PlainPrinter(err)
