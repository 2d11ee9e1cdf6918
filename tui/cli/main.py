"""The command line. Anything slow to import is imported by the command that needs it."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainconsole.engine.common import signals
from trainconsole.tui.cli.exits import fail, is_terminal, need_terminal, user_errors
from trainconsole.tui.cli.options import (
    data_dir_option,
    default_data_dir,
    device_option,
    json_option,
    no_ui_option,
    runs_dir_option,
    threads_option,
)
from trainconsole.tui.cli.streams import Commands, occupy_standard, say, tell
from trainconsole.tui.cli.verbs import live_runs, recorded_runs, scripts
from trainconsole.tui.cli.verbs.mirror import mirror

if TYPE_CHECKING:
    from trainconsole.engine.runs.launch import Launch


@click.group(
    cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="trainconsole")
@click.option("--preset", metavar="NAME|FILE.toml", help="Start a run from a preset.")
@no_ui_option
@json_option
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
    if as_json and not no_ui:
        fail("--json goes with --no-ui")
    if preset is None:
        if no_ui:
            fail("--no-ui needs a preset, as in: trainconsole --preset digits --no-ui")
        _pick(context, partial(_launch, unattended=False, **options), options["runs_dir"])
        return
    if not no_ui:
        need_terminal()
    signals.hold()
    from trainconsole.tui.cli.start import begin

    launch = _launch(preset, unattended=no_ui, **options)
    begin(launch, no_ui=no_ui, as_json=as_json, runs_dir=options["runs_dir"])


def _pick(context: click.Context, prepare: Callable[[str], "Launch"], runs_dir: Path) -> None:
    """The preset picker; the usage where there is no terminal for it."""
    if not is_terminal():
        say(context.get_help(), lines=True)
        sys.exit(2)
    need_terminal()
    from trainconsole.tui.cli.start import again, open_console

    open_console(runs_dir=runs_dir, prepare=prepare, reopen=again)


def _launch(
    preset: str,
    *,
    unattended: bool,
    assignments: tuple[str, ...],
    scripted: tuple[str, ...],
    seed: int | None,
    device: Any,
    threads: int | None,
    data_dir: Path | None,
    runs_dir: Path,
    name: str,
) -> "Launch":
    """What starts a run of `preset` with these options. Raises UserError."""
    from msgspec.structs import replace

    from trainconsole import presets
    from trainconsole.engine.config.parsing import override
    from trainconsole.engine.protocol.script import parse_at
    from trainconsole.engine.runs.launch import prepare

    label, config = presets.load(preset)
    config = override(config, assignments)
    if seed is not None:
        config = replace(config, seed=seed)
    config = replace(config, commands=(*config.commands, *(parse_at(text) for text in scripted)))
    return prepare(
        config,
        label,
        runs=runs_dir,
        data_dir=data_dir or default_data_dir(),
        name=name,
        device=device or "auto",
        threads=threads,
        unattended=unattended,
        command_line=["trainconsole", *sys.argv[1:]],
    )


@main.command("presets")
@click.argument("name", required=False)
@user_errors
def list_presets(name: str | None) -> None:
    """List the presets; with NAME print its TOML."""
    from trainconsole import presets

    if name is not None:
        tell(presets.text(name), lines=True)
        return
    from trainconsole.tui.text.tables import preset_table

    for line in preset_table(presets.listing()):
        tell(line)


main.add_command(recorded_runs.resume)
main.add_command(recorded_runs.replay)
main.add_command(recorded_runs.evaluate)
main.add_command(recorded_runs.export)
main.add_command(live_runs.attach)
main.add_command(live_runs.ctl)
main.add_command(live_runs.stop)
main.add_command(live_runs.list_runs)
main.add_command(scripts.run_script)
main.add_command(mirror)
main.add_command(scripts.verify_script)

if __name__ == "__main__":
    main()
