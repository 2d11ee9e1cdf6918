"""Watching a run from outside: its progress as it goes, then its result. Reads the record; owns nothing."""

import os
from pathlib import Path

from trainconsole.engine import record
from trainconsole.engine.client import Client
from trainconsole.engine.launch import Launch
from trainconsole.engine.live import Live
from trainconsole.engine.messages import Event, Failed, Finished, Interrupted
from trainconsole.tui.headless import Printer, progress_printer
from trainconsole.tui.plain import harmless
from trainconsole.tui.result import result
from trainconsole.tui.streams import Stream

LOOK = 0.25
"""Seconds between two looks at the record where the host says nothing."""


class Reader:
    """Hands the events of a run to a printer, each once."""

    def __init__(self, run: Path, printer: Printer) -> None:
        self.last: Event | None = None
        self._run = run
        self._printer = printer
        self._offset = 0

    def read(self) -> None:
        events, self._offset = record.read_events(self._run, self._offset)
        for event in events:
            self._printer.event(event)
            self.last = event


def watch(run: Path, host: Live | None) -> int:
    """Print the progress of `run` until it ends or Ctrl-C detaches, then what came of it; the exit code:
    0, or 1 after a run that failed or was killed, or 2 after a start that failed."""
    out, err = Stream(os.dup(1)), Stream(os.dup(2))
    printer = progress_printer(err)
    reader = Reader(run, printer)
    error = ""
    try:
        if host is not None:
            error = _follow(host, reader, printer)
        if not error:
            reader.read()
    except KeyboardInterrupt:
        printer.close()
        err.write(_detached(run, host))
        err.flush()
        return 0
    finally:
        printer.close()
    if error:
        err.write(f"trainconsole: {harmless(error)}\n")
        err.flush()
        return 2
    code = _conclude(run, reader.last, out, err)
    out.flush()
    err.flush()
    return code


def _follow(host: Live, reader: Reader, printer: Printer) -> str:
    """Until the host leaves; returns why its start failed, if it did."""
    with Client(Path(host.socket)) as client:
        while not client.gone:
            client.receive(LOOK)
            if client.latest is not None and client.latest.error:
                return client.latest.error
            reader.read()
            if client.latest is not None:
                printer.status(client.latest)
    return ""


def _detached(run: Path, host: Live | None) -> str:
    if host is None:
        return "\n"
    name = harmless(run.name)
    return (
        f"\ndetached: {name} goes on training (pid {host.pid})\n"
        f"'trainconsole attach {name}' comes back, 'trainconsole stop {name}' ends it\n"
    )


def _conclude(run: Path, last: Event | None, out: Stream, err: Stream) -> int:
    match last:
        case Finished():
            launch = Launch(path=run, config=record.read_config(run), preset="", data_dir=Path())
            out.write(result(launch, last, width=out.width, color=out.is_terminal))
            return 0
        case Interrupted():
            err.write(f"interrupted; 'trainconsole resume {harmless(run.name)}' goes on with it\n")
            return 0
        case Failed():
            err.write(f"trainconsole: the run failed: {harmless(last.reason)}\n")
            return 1
        case _:
            name = harmless(run.name)
            err.write(f"trainconsole: {name} has no end: its host is gone (killed?)\n")
            err.write(f"'trainconsole resume {name}' goes on with it\n")
            return 1
