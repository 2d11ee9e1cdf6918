"""The command line. Anything slow to import is imported by the command that needs it."""

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from trainconsole.tui import clients, recorded
from trainconsole.tui.options import (
    data_dir_option,
    default_data_dir,
    device_option,
    runs_dir_option,
    threads_option,
)
from trainconsole.tui.refusal import fail, need_terminal, user_errors
from trainconsole.tui.streams import occupy_standard


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
@device_option
@threads_option
@data_dir_option
@runs_dir_option
@click.option("--name", default="", help="Added to the name of the run directory.")
@click.pass_context
@user_errors
def main(context: click.Context, preset: str | None, no_ui: bool, as_json: bool, **options: Any) -> None:
    """Train PyTorch models in the terminal; watch a run, steer it, repeat it exactly.

    \b
    trainconsole --preset digits
    trainconsole --preset mnist --no-ui --set epochs=10 --at "epoch 6: optimizer sgd lr=0.01"
    trainconsole presets
    """
    occupy_standard()
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
        need_terminal()
    _train(preset, no_ui, as_json, **options)


def _train(
    preset: str,
    no_ui: bool,
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
    from trainconsole.tui.begin import begin

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
        device=device or "auto",
        threads=threads,
        unattended=no_ui,
        command_line=["trainconsole", *sys.argv[1:]],
    )
    begin(launch, no_ui=no_ui, as_json=as_json)


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


main.add_command(recorded.resume)
main.add_command(recorded.replay)
main.add_command(recorded.evaluate)
main.add_command(recorded.export)
main.add_command(clients.attach)
main.add_command(clients.ctl)
main.add_command(clients.stop)
main.add_command(clients.list_runs)

if __name__ == "__main__":
    main()
