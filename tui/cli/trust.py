"""Whose run it is: going on with one can run code that its config, or a command of its record, names."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainconsole.engine.common.errors import UserError
from trainconsole.tui.text.format import harmless

if TYPE_CHECKING:
    from trainconsole.engine.runs.trust import Code

SHOWN = 4
LONGEST = 160
"""Characters of the arguments that are shown."""

trust_option = click.option(
    "--trust",
    is_flag=True,
    help="Also for a run that was not started here, or that another user owns: it may run code of theirs.",
)


changed_option = click.option(
    "--changed", is_flag=True, help="Also where the script of the run has changed since it was started."
)


def check_unchanged(path: Path, changed: bool = False) -> None:
    """Raises UserError where the code of a script's run is not what it was, unless that is known."""
    from trainconsole.engine.record.run_directory import read_config
    from trainconsole.engine.runs import scripts

    script = read_config(path).script
    if script is not None and not changed and (what := scripts.changed(script)):
        raise UserError(
            f"{path.name}: {what} since this run was started, so it may not be exact\n"
            "--changed goes on all the same."
        )


def trusted(runs_dir: Path, run: str, trust: bool) -> Path:
    """The directory of RUN, whose code may be run: its owner was checked, its format, and what it imports.

    Raises UserError, for the format before anything else of it is read.
    """
    from trainconsole.engine.record.run_directory import find, read_meta

    path = find(runs_dir, run)
    check_owner(path, trust)
    read_meta(path)
    check_code(path, trust)
    return path


def check_trust(path: Path, trust: bool) -> None:
    """Resume, replay and evaluate run the code that a run names. Raises UserError where another user owns it,
    or where it was not started here."""
    check_owner(path, trust)
    check_code(path, trust)


def check_owner(path: Path, trust: bool) -> None:
    owner = path.stat().st_uid
    if owner != os.getuid() and not trust:
        raise UserError(
            f"{path} belongs to another user (uid {owner}); going on with it can run code that it names\n"
            "Look at its config.toml, then say --trust."
        )


def check_code(path: Path, trust: bool) -> None:
    """What is built in needs no trust; with `trust` what the run names is trusted from now on."""
    from trainconsole.engine.record import run_directory
    from trainconsole.engine.runs import trust as known

    named = known.named(run_directory.read_config(path), run_directory.read_events(path)[0])
    if trust:
        known.remember(path, named)
    elif strange := known.unknown(path, named):
        raise UserError(
            f"{path}: this run imports {described(strange)}\n"
            "It was not started here as it stands; look at what these do, then say --trust (asked once)."
        )


def described(named: "Sequence[Code]") -> str:
    """os:system with {"command": "id"} (data), ...: each once, within bounds, harmless."""
    parts = list(dict.fromkeys(_described(code) for code in named))
    more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    return ", ".join(parts[:SHOWN]) + more


def _described(code: "Code") -> str:
    args = json.dumps(code.args, default=str) if code.args else ""
    shown = args if len(args) <= LONGEST else args[:LONGEST] + "..."
    return harmless(f"{code.target}{' with ' + shown if shown else ''} ({code.where[:LONGEST]})")
