"""A run without a console: progress on stderr, the result on stdout. Owns the process while it trains."""

import os
import sys
from typing import NoReturn, Protocol

from trainconsole.engine.common.escapes import as_json
from trainconsole.engine.config.run import Script
from trainconsole.engine.host import process, script_process
from trainconsole.engine.host.host import Host
from trainconsole.engine.protocol.events import Event, Finished
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.record.last_events import last_words
from trainconsole.engine.runs.launch import Launch
from trainconsole.engine.transport import registry
from trainconsole.tui.cli.progress import LivePrinter, PlainPrinter
from trainconsole.tui.cli.start import Conclude
from trainconsole.tui.cli.streams import Stream, refusal, say
from trainconsole.tui.state.run_list import still_training
from trainconsole.tui.text.final_report import result


class Printer(Protocol):
    """Shows a run as it goes. Never raises for a terminal that is gone."""

    def event(self, event: Event) -> None: ...

    def status(self, status: Status) -> None: ...

    def say(self, line: str) -> None: ...

    def close(self) -> None: ...


class Watching:
    """Passes on to a printer what comes, and says it where the run stands still: no event can be written."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._said = ""

    def event(self, event: Event) -> None:
        self._printer.event(event)

    def status(self, status: Status) -> None:
        if status.error != self._said and status.stage == "paused":
            self._printer.say(f"warning: {status.error}")
        self._said = status.error
        self._printer.status(status)


class JsonPrinter:
    """Events as they stand in events.jsonl, one line each; what is no event goes to stderr."""

    def __init__(self, out: Stream, err: Stream) -> None:
        self._out = out
        self._err = err

    def event(self, event: Event) -> None:
        self._out.write(as_json(event).decode() + "\n")
        self._out.flush()

    def status(self, status: Status) -> None:
        """Nothing: stdout carries the events and nothing else."""

    def say(self, line: str) -> None:
        self._err.say(line)
        self._err.flush()

    def close(self) -> None:
        self._out.flush()


def run(launch: Launch, *, json: bool, conclude: Conclude | None = None) -> NoReturn:
    """Train in this process until the run ends, then exit with its code.

    `conclude` is asked after a run that finished: for another exit code, and a last line of the result.
    """
    if launch.config.script is not None:
        _run_script(launch, launch.config.script, conclude)
    out, err = Stream(os.dup(1)), Stream(os.dup(2))
    if notice := still_training(registry.live()):
        err.say(notice)
        err.flush()
    host = Host(launch)
    printer = JsonPrinter(out, err) if json else progress_printer(err)
    process.keep_prints(launch)
    process.handle_signals(host, printer.close)
    host.start()
    last = process.follow(host, Watching(printer))
    printer.close()
    host.close()
    outcome = host.outcome
    if isinstance(last, Finished) and not json:
        out.write(result(launch.path, last, width=out.width, color=out.is_terminal))
    if outcome is not None and outcome.error:
        err.say(refusal(outcome.error), lines=True)
    code = outcome.code if outcome is not None else 1
    if isinstance(last, Finished) and conclude is not None:
        code, text = conclude()
        (err if json else out).say(text, lines=True)
    out.flush()
    if out.lost:
        err.say(refusal(f"cannot write to stdout: {out.lost}; the record of the run has it all"))
    err.flush()
    process.leave(code)


def _run_script(launch: Launch, script: Script, conclude: Conclude | None) -> NoReturn:
    """The terminal is the script's; what `conclude` says goes to stderr."""
    code = script_process.run(launch, script)
    if not launch.path.exists():
        say("trainconsole: no step of a torch optimizer was seen, so nothing is on record")
    if conclude is not None and isinstance(last_words(launch.path).last, Finished):
        code, text = conclude()
        say(text, lines=True)
    sys.exit(code)


def progress_printer(err: Stream) -> Printer:
    """A bar on a terminal, a line an epoch elsewhere."""
    return LivePrinter(err) if err.is_terminal else PlainPrinter(err)
