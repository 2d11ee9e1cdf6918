"""The command `mirror`: a run, live or over, in what a team looks at already."""

import sys
from functools import partial
from pathlib import Path

import click

from trainconsole.tui.cli.exits import user_errors
from trainconsole.tui.cli.options import runs_dir_option
from trainconsole.tui.cli.streams import say, tell


@click.command()
@click.argument("run")
@click.option(
    "--to",
    "places",
    metavar="WHERE",
    multiple=True,
    required=True,
    help="tensorboard:DIR, wandb[:PROJECT], mlflow[:URI] or trackio[:PROJECT]; repeatable.",
)
@click.option("--no-follow", is_flag=True, help="Write what is there, and leave.")
@runs_dir_option
@user_errors
def mirror(run: str, places: tuple[str, ...], no_follow: bool, runs_dir: Path) -> None:
    """Follow RUN into another tool until it is over. Stopped and started again it goes on where it was."""
    from trainconsole.engine.mirror import follow, targets
    from trainconsole.engine.transport import registry
    from trainconsole.tui.text.format import quoted

    wanted = [targets.where(place) for place in dict.fromkeys(places)]
    path = registry.resolve(runs_dir, run)
    to = ", ".join(map(str, wanted))
    try:
        openers = [partial(targets.opened, place) for place in wanted]
        done = follow.mirror(path, openers, follows=not no_follow)
    except KeyboardInterrupt:
        say(f"stopped; 'trainconsole mirror {quoted(path.name)} ...' goes on where this was")
        sys.exit(130)
    ending = done.ending or ("as far as it is" if no_follow else "no end: its host is gone")
    tell(f"{path.name}: mirrored to {to}: {done.steps:,} steps, {ending}")
