"""The commands that talk to a host from outside: attach, ctl, stop, runs."""

import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainconsole.engine.common.errors import UserError
from trainconsole.tui.cli.exits import user_errors
from trainconsole.tui.cli.options import runs_dir_option
from trainconsole.tui.cli.streams import refusal, say, tell

if TYPE_CHECKING:
    from trainconsole.engine.transport.client import Client

ANSWER = 30.0
"""Seconds that a command may wait for its answer; an evaluation may take longer."""
STANDS = 2.0
"""Seconds that `stop` stays with a host that waits for its disk."""
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
    from trainconsole.engine.transport import registry
    from trainconsole.tui.cli.exits import need_terminal
    from trainconsole.tui.cli.start import again, open_console

    need_terminal("'trainconsole runs' says how it stands, 'trainconsole ctl RUN WHAT' steers it")

    if run is not None:
        path = registry.resolve(runs_dir, run)
    elif entries := registry.live():
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
    from trainconsole.engine.protocol.grammar import parse, tidy
    from trainconsole.engine.transport import registry
    from trainconsole.engine.transport.client import Client, acknowledgement

    text = tidy(" ".join(what))
    parse(text)
    path = registry.resolve(runs_dir, run)
    with Client.of(path) as client:
        answer = acknowledgement(path, client.send(text, "ctl"), ANSWER, client)
        if answer is not None:
            return _tell(answer)
        if client.waits:
            say(f"'{text}' is applied once there is room: {client.waits}")
            return 1
        latest = client.latest
        if latest is not None and latest.error:
            raise UserError(f"the start failed: {latest.error}")
        if client.gone:
            raise UserError(f"the host left before it answered; '{text}' may not have been applied")
        if not path.is_dir():
            raise UserError(f"{path} is gone: renamed or removed in mid-run; '{text}' may have been applied")
        stage = f" ({latest.stage})" if latest else ""
        say(f"no answer within {ANSWER:.0f} s{stage}: '{text}' still waits for its turn")
        return 1


@click.command()
@click.argument("run", required=False)
@click.option("--all", "every", is_flag=True, help="Every run that is training.")
@runs_dir_option
@user_errors
@exits
def stop(runs_dir: Path, run: str | None, every: bool) -> int:
    """Stop at the next step, save, and wait for the end."""
    from trainconsole.engine.transport import registry
    from trainconsole.engine.transport.client import Client

    if every == (run is not None):
        raise UserError("stop what? trainconsole stop RUN, or trainconsole stop --all")
    paths = [entry.path for entry in registry.live()] if run is None else [registry.resolve(runs_dir, run)]
    if not paths:
        say("no run is training")
    asked, worst = [], 0
    for path in paths:
        try:
            client = Client.of(path)
            client.send("stop", "ctl")
            asked.append((path, client))
        except UserError as error:
            if not every:
                raise
            say(refusal(error), lines=True)
            worst = 2
    return max([worst, *(_await_end(path, client) for path, client in asked)])


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
    from trainconsole.engine.transport import registry
    from trainconsole.tui.state import run_list as listing

    if prune:
        return _prune(runs_dir, keep, yes)
    listed = listing.rows(runs_dir)
    notice = listing.still_training(registry.live())
    if notice:
        say(notice)
    if as_json:
        tell(listing.as_json(listed), lines=True)
    elif listed:
        for line in listing.table(listed):
            tell(line)
    else:
        say(f"no runs in {runs_dir}")
    for line in listing.warnings(listed):
        say(line)
    return 0


def _tell(answer: Any) -> int:
    """One line about what became of a command; the exit code."""
    from trainconsole.engine.protocol.events import CommandApplied
    from trainconsole.tui.text.format import effect

    text = answer.command
    if not isinstance(answer, CommandApplied):
        tell(f"rejected at step {answer.step:,}: {text}: {answer.reason}")
        return 1
    details = "; ".join(part for part in (effect(answer.before, answer.after), answer.note) if part)
    tell(f"applied at step {answer.step:,}: {text}" + (f"  ({details})" if details else ""))
    return 0


def _await_end(path: Path, client: "Client") -> int:
    """Wait until the host has left, or stands still; say how the run ended."""
    from trainconsole.engine.record.last_events import last_words
    from trainconsole.tui.state.run_list import ending

    began = time.monotonic()
    with client:
        while not client.gone and time.monotonic() < began + (STANDS if client.waits else END):
            client.receive(0.25)
        if client.waits:
            pid = client.latest.pid if client.latest else 0
            say(f"{path.name}: stops once there is room: {client.waits}")
            say(f"'kill {pid}' ends it now, with what was saved before")
            return 1
        if not client.gone:
            stage = f" ({client.latest.stage})" if client.latest else ""
            say(f"{path.name}: still going after {END:.0f} s{stage}")
            return 1
        if client.latest is not None and client.latest.error:
            raise UserError(f"{path.name}: the start failed: {client.latest.error}")
    if not path.is_dir():
        raise UserError(f"{path.name}: ended, and its directory is not where it was: {path}")
    last = last_words(path).last
    at = f" at step {last.step:,}" if last is not None else ""
    word = ending(last)
    tell(f"{path.name}: {word}{at}")
    return 1 if word in ("failed", "killed") else 0


def _prune(runs_dir: Path, keep: int, yes: bool) -> int:
    from trainconsole.tui.state import run_list as listing

    paths, needed = listing.spared(listing.deletable(runs_dir, keep), runs_dir)
    for source, names in needed.items():
        tell(f"kept {source.name}: without it {', '.join(names)} cannot be resumed or replayed")
    if not paths:
        tell(f"nothing to delete: {keep} are kept, and what is live")
        return 0
    for path in paths:
        tell(f"{path}  {listing.human(listing.size(path))}")
    if not yes:
        if not sys.stdin.isatty():
            raise UserError("nothing was deleted: nobody is there to ask; --yes deletes what is listed")
        if not click.confirm(f"Delete these {len(paths)}?"):
            return 1
    return max(_deleted(path) for path in paths)


def _deleted(path: Path) -> int:
    from trainconsole.tui.state import run_list as listing

    try:
        left = listing.delete(path)
    except UserError as error:
        say(refusal(error), lines=True)
        return 1
    kept = f"; left there, as none of the run's own: {', '.join(left)}" if left else ""
    tell(f"deleted {path.name}{kept}")
    return 0
