"""Whose run it is: going on with one can run code that its config names."""

import os
from pathlib import Path

import click

from trainconsole.engine.errors import UserError

trust_option = click.option(
    "--trust", is_flag=True, help="Also for a run that another user owns: it may run code of theirs."
)


def trusted(runs_dir: Path, run: str, trust: bool) -> Path:
    """The directory of RUN, whose code may be run: its owner was checked, and its format.

    Raises UserError, for the format before anything else of it is read.
    """
    from trainconsole.engine.record import find, read_meta

    path = find(runs_dir, run)
    check_trust(path, trust)
    read_meta(path)
    return path


def check_trust(path: Path, trust: bool) -> None:
    """Resume, replay and evaluate run the code that a config names. Raises UserError where another user
    owns the run."""
    owner = path.stat().st_uid
    if owner != os.getuid() and not trust:
        raise UserError(
            f"{path} belongs to another user (uid {owner}); going on with it can run code that it names\n"
            "Look at its config.toml, then say --trust."
        )
