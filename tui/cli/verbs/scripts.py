"""`trainconsole run -- CMD`: a script with a loop of its own, as a host of its own, and the console on it."""

import sys
from pathlib import Path

import click

from trainconsole.engine.common import signals
from trainconsole.engine.common.errors import UserError
from trainconsole.tui.cli.exits import need_terminal, user_errors
from trainconsole.tui.cli.options import default_data_dir, no_ui_option, runs_dir_option


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--at",
    "scripted",
    metavar='"WHEN: WHAT"',
    multiple=True,
    help='A command at a time, as "step 100: lr x0.5".',
)
@click.option("--name", default="", help="Added to the name of the run directory.")
@no_ui_option
@runs_dir_option
@user_errors
def run_script(
    command: tuple[str, ...], scripted: tuple[str, ...], name: str, no_ui: bool, runs_dir: Path
) -> None:
    """Start a training script as a run, as in: trainconsole run -- python train.py --epochs 3

    What it prints goes to host.log, and it goes on when the terminal is gone; with --no-ui it stays here.
    """
    from trainconsole.engine.config.run import RunConfig
    from trainconsole.engine.protocol.script import parse_at
    from trainconsole.engine.runs import scripts
    from trainconsole.engine.runs.launch import prepare
    from trainconsole.tui.cli.start import begin

    if not command:
        raise UserError("run what? as in: trainconsole run -- python train.py")
    if not no_ui:
        need_terminal()
    signals.hold()
    here = Path.cwd()
    script = scripts.described(command, here, scripts.file_of(command, here))
    launch = prepare(
        RunConfig(script=script, commands=tuple(parse_at(text) for text in scripted)),
        scripts.label(script),
        runs=runs_dir,
        data_dir=default_data_dir(),
        name=name,
        command_line=["trainconsole", *sys.argv[1:]],
    )
    begin(launch, no_ui=no_ui, as_json=False, runs_dir=runs_dir)
