"""The command line. Anything slow to import is imported by the command that needs it."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from trainconsole.engine.errors import UserError

DEFAULT_RUNS = Path("runs")


def fail(error: UserError | str, code: int = 2) -> NoReturn:
    """What is wrong, on stderr, in plain text; then leave."""
    click.echo(f"trainconsole: {error}", err=True)
    sys.exit(code)


def user_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a UserError into its text and exit code 2."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except UserError as error:
            fail(error)

    return guarded


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trainconsole")
@click.option("--preset", metavar="NAME|FILE.toml", help="Start a run from a preset.")
@click.option("--no-ui", is_flag=True, help="Headless: progress on stderr, result on stdout.")
@click.option(
    "--json", "as_json", is_flag=True, help="With --no-ui: stdout carries the events, one JSON line each."
)
@click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Override any config value.")
@click.option(
    "--at",
    "scripted",
    metavar='"WHEN: WHAT"',
    multiple=True,
    help='A command at a time, as "epoch 6: lr x0.5".',
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Override the seed.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True
)
@click.option(
    "--threads", type=click.IntRange(1, 1024), help="Threads that torch uses (default: the cores there are)."
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Where data sets are kept (default: the user's cache).",
)
@click.option(
    "--runs-dir",
    type=click.Path(path_type=Path),
    default=DEFAULT_RUNS,
    show_default=True,
    help="Where run directories go.",
)
@click.option("--name", default="", help="Added to the name of the run directory.")
@click.pass_context
@user_errors
def main(context: click.Context, preset: str | None, no_ui: bool, as_json: bool, **options: Any) -> None:
    """Train PyTorch models in the terminal; watch a run, steer it, repeat it exactly.

    \b
    trainconsole --preset digits --no-ui
    trainconsole --preset mnist --no-ui --set epochs=10 --at "epoch 6: optimizer sgd lr=0.01"
    trainconsole presets
    """
    if context.invoked_subcommand is not None:
        return
    if preset is None:
        if no_ui or as_json:
            fail("--no-ui needs a preset, as in: trainconsole --preset digits --no-ui")
        click.echo(context.get_help(), err=True)
        sys.exit(2)
    if as_json and not no_ui:
        fail("--json goes with --no-ui")
    if not no_ui:
        fail("there is no console in this version yet: add --no-ui to train headless")
    _train(preset, as_json, **options)


def _train(
    preset: str,
    as_json: bool,
    *,
    assignments: tuple[str, ...],
    scripted: tuple[str, ...],
    seed: int | None,
    device: Any,
    threads: int | None,
    data_dir: Path | None,
    runs_dir: Path,
    name: str,
) -> NoReturn:
    from msgspec.structs import replace

    from trainconsole import presets
    from trainconsole.engine.launch import prepare
    from trainconsole.engine.reading import override
    from trainconsole.engine.script import parse_at
    from trainconsole.tui import headless

    label, config = presets.load(preset)
    config = override(config, assignments)
    if seed is not None:
        config = replace(config, seed=seed)
    config = replace(config, commands=(*config.commands, *(parse_at(text) for text in scripted)))
    launch = prepare(
        config,
        label,
        runs=runs_dir,
        data_dir=data_dir or default_data_dir(),
        name=name,
        device=device,
        threads=threads,
        unattended=True,
        command_line=["trainconsole", *sys.argv[1:]],
    )
    headless.run(launch, as_json=as_json)


def default_data_dir() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("trainconsole") / "data"


@main.command("presets")
@click.argument("name", required=False)
@user_errors
def list_presets(name: str | None) -> None:
    """List the presets; with NAME print its TOML."""
    from trainconsole import presets

    if name is not None:
        click.echo(presets.text(name), nl=False)
        return
    from trainconsole.tui.tables import preset_table

    for line in preset_table(presets.listing()):
        click.echo(line)


if __name__ == "__main__":
    main()
