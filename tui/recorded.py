"""Commands on a run that was recorded: resume, replay, evaluate, export."""

import sys
from pathlib import Path
from typing import Any

import click

from trainconsole.tui.options import (
    data_dir_option,
    default_data_dir,
    device_option,
    runs_dir_option,
    threads_option,
)
from trainconsole.tui.refusal import fail, user_errors


@click.command()
@click.argument("run")
@click.option("--no-ui", is_flag=True, help="Headless: progress on stderr, result on stdout.")
@click.option("--json", "as_json", is_flag=True, help="With --no-ui: stdout carries the events.")
@click.option(
    "--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Change what has a live command."
)
@click.option("--trust", is_flag=True, help="Resume a run that another user owns: it may run code of theirs.")
@device_option
@threads_option
@data_dir_option
@runs_dir_option
@user_errors
def resume(
    run: str,
    no_ui: bool,
    as_json: bool,
    assignments: tuple[str, ...],
    trust: bool,
    device: Any,
    threads: int | None,
    data_dir: Path | None,
    runs_dir: Path,
) -> None:
    """Go on with RUN where its last checkpoint is, commands given since included."""
    from trainconsole.engine.launch import reopen
    from trainconsole.engine.record import find
    from trainconsole.tui import headless

    if not no_ui:
        fail("there is no console in this version yet: add --no-ui to train headless")
    path = find(runs_dir, run)
    check_trust(path, trust)
    launch = reopen(
        path,
        assignments=assignments,
        data_dir=data_dir,
        device=device,
        threads=threads,
        default_data_dir=default_data_dir(),
        command_line=["trainconsole", *sys.argv[1:]],
    )
    headless.run(launch, as_json=as_json)


def check_trust(path: Path, trust: bool) -> None:
    """Resume and replay run the code that a config names. Raises UserError for another user's run."""
    import os

    from trainconsole.engine.errors import UserError

    owner = path.stat().st_uid
    if owner != os.getuid() and not trust:
        raise UserError(
            f"{path} belongs to another user (uid {owner}); going on with it can run code that it names\n"
            "Look at its config.toml, then say --trust."
        )
