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


@click.command()
@click.argument("run")
@click.option("--no-ui", is_flag=True, help="Headless: progress on stderr, result on stdout.")
@click.option("--json", "as_json", is_flag=True, help="With --no-ui: stdout carries the events.")
@click.option(
    "--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Try the recipe with a change."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Try the recipe with another seed.")
@click.option("--trust", is_flag=True, help="Replay a run that another user owns: it may run code of theirs.")
@runs_dir_option
@user_errors
def replay(
    run: str,
    no_ui: bool,
    as_json: bool,
    assignments: tuple[str, ...],
    seed: int | None,
    trust: bool,
    runs_dir: Path,
) -> None:
    """Repeat RUN from its config and its commands, and compare the weights; exit 3 where they differ."""
    from msgspec.structs import replace

    from trainconsole.engine.launch import prepare
    from trainconsole.engine.reading import override
    from trainconsole.engine.record import find
    from trainconsole.engine.replay import compare, recipe
    from trainconsole.tui import headless

    if not no_ui:
        fail("there is no console in this version yet: add --no-ui to train headless")
    original = find(runs_dir, run)
    check_trust(original, trust)
    wanted = recipe(original)
    config = override(wanted.config, assignments)
    config = config if seed is None else replace(config, seed=seed)
    launch = prepare(
        config,
        wanted.preset,
        runs=runs_dir,
        data_dir=wanted.data_dir,
        name="replay",
        device=wanted.device,
        threads=wanted.threads,
        command_line=["trainconsole", *sys.argv[1:]],
    )
    changed = config != wanted.config

    def conclude() -> tuple[int, str]:
        if changed:
            return 0, f"not compared with {original.name}: the recipe was changed"
        same, text = compare(original, launch.path, wanted)
        return (0 if same else 3), text

    headless.run(launch, as_json=as_json, conclude=conclude)


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
