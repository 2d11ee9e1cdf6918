"""Where a run goes when it begins: into this process, or into one of its own with a console before it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from trainconsole.engine.runs.launch import Launch
from trainconsole.tui.cli.options import default_data_dir

Conclude = Callable[[], tuple[int, str]]
"""Asked after a run that finished: for another exit code, and a last line."""


def begin(
    launch: Launch, *, no_ui: bool, as_json: bool, runs_dir: Path, conclude: Conclude | None = None
) -> NoReturn:
    """Train, and exit with the code of the run, or with 0 where it was left training."""
    from trainconsole.engine.runs.launch import unless_begun

    with unless_begun(launch):
        if no_ui:
            from trainconsole.tui.cli import headless

            headless.run(launch, json=as_json, conclude=conclude)
        from trainconsole.tui.cli.open_console import open_console
    open_console(runs_dir=runs_dir, reopen=again, launch=launch, conclude=conclude)


def again(path: Path) -> Launch:
    """Going on with the run at `path` as it was. Raises UserError."""
    from trainconsole.engine.runs.launch import reopen
    from trainconsole.tui.cli.trust import check_trust

    check_trust(path, trust=False)
    return reopen(path, default_data_dir=default_data_dir(), command_line=["trainconsole", *sys.argv[1:]])
