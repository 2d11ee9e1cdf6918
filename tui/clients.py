"""The commands that talk to a host from outside: attach, ctl, stop, runs."""

import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from trainconsole.engine.errors import UserError
from trainconsole.tui.options import runs_dir_option
from trainconsole.tui.plain import harmless
from trainconsole.tui.refusal import user_errors

ANSWER = 30.0
"""Seconds that a command may wait for its answer; an evaluation may take longer."""
END = 120.0
"""Seconds that `stop` waits for the end: the step, the test set, the checkpoint."""


def exits(command: Callable[..., int]) -> Callable[..., None]:
    """Exit with the code that `command` returns."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        sys.exit(command(*args, **kwargs))

    return run


@click.command()
@click.argument("run", required=False)
@runs_dir_option
@user_errors
@exits
def attach(runs_dir: Path, run: str | None) -> int:
    """Open the console on a live run (default: the newest), or on one that is over."""
    from trainconsole.engine import live
    from trainconsole.tui.begin import again
    from trainconsole.tui.console import open_console
    from trainconsole.tui.refusal import need_terminal

    need_terminal("'trainconsole runs' says how it stands, 'trainconsole ctl RUN WHAT' steers it")

    if run is not None:
        path = live.resolve(runs_dir, run)
    elif entries := live.live():
        path = entries[-1].path
    else:
        raise UserError("no run is training; 'trainconsole attach RUN' shows one that is over")
    open_console(runs_dir=runs_dir, reopen=again, path=path)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("run")
@click.argument("what", nargs=-1, required=True)
@runs_dir_option
@user_errors
@exits
def ctl(runs_dir: Path, run: str, what: tuple[str, ...]) -> int:
    """Send one command to a live run, as in: trainconsole ctl last lr x0.5

    Exit code 0: applied, 1: rejected, 2: not a command, or nobody there.
    """
    from trainconsole.engine import live
    from trainconsole.engine.client import Client, acknowledgement
    from trainconsole.engine.grammar import parse, tidy

    text = tidy(" ".join(what))
    parse(text)
    path = live.resolve(runs_dir, run)
    with Client.of(path) as client:
        answer = acknowledgement(path, client.send(text, "ctl"), ANSWER, client)
        if answer is not None:
            return _tell(answer)
        latest = client.latest
        if latest is not None and latest.error:
            raise UserError(f"the start failed: {_safe(latest.error)}")
        if client.gone:
            raise UserError(f"the host left before it answered; '{text}' may not have been applied")
        stage = f" ({latest.stage})" if latest else ""
        click.echo(f"no answer within {ANSWER:.0f} s{stage}: '{text}' still waits for its turn", err=True)
        return 1


@click.command()
@click.argument("run", required=False)
@click.option("--all", "every", is_flag=True, help="Every run that is training.")
@runs_dir_option
@user_errors
@exits
def stop(runs_dir: Path, run: str | None, every: bool) -> int:
    """Stop at the next step, save, and wait for the end."""
    from trainconsole.engine import live
    from trainconsole.engine.client import Client

    if every == (run is not None):
        raise UserError("stop what? trainconsole stop RUN, or trainconsole stop --all")
    paths = [entry.path for entry in live.live()] if run is None else [live.resolve(runs_dir, run)]
    if not paths:
        click.echo("no run is training", err=True)
    asked = []
    for path in paths:
        try:
            client = Client.of(path)
            asked.append((path, client, client.send("stop", "ctl")))
        except UserError as error:
            if not every:
                raise
            click.echo(f"trainconsole: {_safe(str(error))}", err=True)
    return max([_await_end(path, client, name) for path, client, name in asked], default=0)


@click.command("runs")
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
@click.option("--prune", is_flag=True, help="Delete runs that are over, but for the newest.")
@click.option(
    "--keep", type=click.IntRange(0), default=10, show_default=True, help="With --prune: how many to keep."
)
@click.option("--yes", is_flag=True, help="With --prune: do not ask.")
@runs_dir_option
@user_errors
@exits
def list_runs(runs_dir: Path, as_json: bool, prune: bool, keep: int, yes: bool) -> int:
    """List live and recent runs; with --prune delete old ones, never a live one."""
    from trainconsole.engine import live
    from trainconsole.tui import runs as listing

    if prune:
        return _prune(runs_dir, keep, yes)
    listed = listing.rows(runs_dir)
    notice = listing.still_training(live.live())
    if notice:
        click.echo(notice, err=True)
    if as_json:
        click.echo(listing.as_json(listed))
    elif listed:
        for line in listing.table(listed):
            click.echo(line)
    else:
        click.echo(f"no runs in {_safe(str(runs_dir))}", err=True)
    return 0


def _tell(answer: Any) -> int:
    """One line about what became of a command; the exit code."""
    from trainconsole.engine.messages import CommandApplied
    from trainconsole.tui.plain import effect

    text = harmless(answer.command)
    if not isinstance(answer, CommandApplied):
        click.echo(f"rejected at step {answer.step:,}: {text}: {harmless(answer.reason)}")
        return 1
    details = "; ".join(part for part in (effect(answer.before, answer.after), harmless(answer.note)) if part)
    click.echo(f"applied at step {answer.step:,}: {text}" + (f"  ({details})" if details else ""))
    return 0


def _await_end(path: Path, client: Any, name: str) -> int:
    """Wait until the host has left; say how the run ended."""
    from trainconsole.engine import record
    from trainconsole.tui.runs import ending

    deadline = time.monotonic() + END
    with client:
        while not client.gone and time.monotonic() < deadline:
            client.receive(0.25)
        if not client.gone:
            stage = f" ({client.latest.stage})" if client.latest else ""
            click.echo(f"{harmless(path.name)}: still going after {END:.0f} s{stage}", err=True)
            return 1
        if client.latest is not None and client.latest.error:
            raise UserError(f"{path.name}: the start failed: {_safe(client.latest.error)}")
    events, _ = record.read_events(path)
    at = f" at step {events[-1].step:,}" if events else ""
    word = ending(events[-1] if events else None)
    click.echo(f"{harmless(path.name)}: {word}{at}")
    return 1 if word in ("failed", "killed") else 0


def _prune(runs_dir: Path, keep: int, yes: bool) -> int:
    from trainconsole.tui import runs as listing

    paths = listing.deletable(runs_dir, keep)
    if not paths:
        click.echo(f"nothing to delete: {keep} are kept, and what is live")
        return 0
    for path in paths:
        click.echo(f"{harmless(str(path))}  {listing.human(listing.size(path))}")
    if not yes:
        if not sys.stdin.isatty():
            raise UserError("nothing was deleted: nobody is there to ask; --yes deletes what is listed")
        if not click.confirm(f"Delete these {len(paths)}?"):
            return 1
    return max([_deleted(path) for path in paths])


def _deleted(path: Path) -> int:
    from trainconsole.tui import runs as listing

    try:
        listing.delete(path)
    except UserError as error:
        click.echo(f"trainconsole: {_safe(str(error))}", err=True)
        return 1
    click.echo(f"deleted {harmless(path.name)}")
    return 0


def _safe(text: str) -> str:
    return "\n".join(harmless(line) for line in text.split("\n"))
