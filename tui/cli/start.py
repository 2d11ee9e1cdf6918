"""Where a run goes when it begins: into this process, or into one of its own with a console before it; and
what this terminal says once that is closed."""

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from trainconsole.tui.cli.exits import fail
from trainconsole.tui.cli.options import default_data_dir
from trainconsole.tui.cli.streams import Stream, refusal, say
from trainconsole.tui.text.format import quoted

if TYPE_CHECKING:
    from trainconsole.engine.runs.launch import Launch

Conclude = Callable[[], tuple[int, str]]
"""Asked after a run that finished: for another exit code, and a last line."""

PACE = 1000
"""How often a second Textual looks whether there is something to send: an answer waits for 1 ms at most."""


def begin(
    launch: "Launch", *, no_ui: bool, as_json: bool, runs_dir: Path, conclude: Conclude | None = None
) -> NoReturn:
    """Train, and exit with the code of the run, or with 0 where it was left training."""
    from trainconsole.engine.runs.launch import unless_begun

    with unless_begun(launch):
        if no_ui:
            from trainconsole.tui.cli import headless

            headless.run(launch, json=as_json, conclude=conclude)
    open_console(runs_dir=runs_dir, reopen=again, launch=launch, conclude=conclude)


def again(path: Path) -> "Launch":
    """Going on with the run at `path` as it was. Raises UserError."""
    from trainconsole.engine.runs.launch import reopen
    from trainconsole.tui.cli.trust import check_trust, check_unchanged

    check_trust(path, trust=False)
    check_unchanged(path)
    return reopen(path, default_data_dir=default_data_dir(), command_line=["trainconsole", *sys.argv[1:]])


def open_console(
    *,
    runs_dir: Path,
    prepare: "Callable[[str], Launch] | None" = None,
    reopen: "Callable[[Path], Launch]",
    launch: "Launch | None" = None,
    path: Path | None = None,
    conclude: Conclude | None = None,
) -> NoReturn:
    """Show the console until it is left, then exit: 0, 1 after a run that failed or was killed, 2 after a
    start that failed, or 128 and the number of a signal.

    `conclude` is asked after a run that finished: for another exit code, and a last line. Raises UserError
    where the events of the run at `path` cannot be read.
    """
    os.environ.setdefault("TEXTUAL_FPS", str(PACE))
    # All that is imported stays; the app has the collector on once its first frame is out.
    gc.disable()
    from trainconsole.engine.runs.launch import abandon
    from trainconsole.tui.app import ConsoleApp

    if path is not None:
        from trainconsole.engine.record.last_events import last_words

        last_words(path)
    app = ConsoleApp(runs_dir=runs_dir, prepare=prepare, reopen=reopen, launch=launch, path=path)
    left = app.run(mouse=False)
    if launch is not None and app.run_path is None:
        abandon(launch)
    if app.signalled:
        os._exit(app.signalled)
    if app.return_code:
        sys.exit(app.return_code)
    if left is not None and left.error:
        fail(left.error)
    if app.run_path is None:
        sys.exit(0)
    if left is not None and left.how == "detached":
        say(detached(app.run_path, paused=left.paused), lines=True)
        sys.exit(0)
    sys.exit(_conclude(app.run_path, conclude))


def detached(run: Path, *, paused: bool) -> str:
    """What to know of a run that goes on without this terminal."""
    from trainconsole.engine.host import logind

    name = quoted(run.name)
    lines = [
        f"detached: {name} {'stays paused' if paused else 'goes on training'}",
        f"'trainconsole attach {name}' comes back, 'trainconsole stop {name}' ends it",
    ]
    return "\n".join([*lines, *filter(None, [logind.warning()])])


def _conclude(run: Path, conclude: Conclude | None) -> int:
    from trainconsole.engine.protocol.events import Failed, Finished, Interrupted
    from trainconsole.engine.record.last_events import last_words
    from trainconsole.tui.text.final_report import summary

    last = last_words(run).last
    out, name = Stream(os.dup(1)), quoted(run.name)
    code = 0
    match last:
        case Finished():
            for line in summary(run, last, out.width):
                out.say(line)
            if conclude is not None:
                code, text = conclude()
                out.say(text, lines=True)
        case Interrupted():
            say(f"interrupted; 'trainconsole resume {name}' goes on with it")
        case Failed():
            say(refusal(f"the run failed: {last.reason}"), lines=True)
            code = 1
        case _:
            say(f"trainconsole: {name} has no end: its host is gone (killed?)")
            say(f"'trainconsole resume {name}' goes on with it")
            code = 1
    out.flush()
    return code
