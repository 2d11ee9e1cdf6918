"""Scripts with a loop of their own: `run -- CMD` as a host of its own with the console on it, and
`verify -- CMD`, which measures whether it can go back."""

import sys
from pathlib import Path

import click

from trainconsole.engine.common import signals
from trainconsole.engine.common.errors import UserError
from trainconsole.tui.cli.exits import need_terminal, user_errors
from trainconsole.tui.cli.options import default_data_dir, no_ui_option, runs_dir_option
from trainconsole.tui.cli.streams import say, tell


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--at",
    "scripted",
    metavar='"WHEN: WHAT"',
    multiple=True,
    help='A command at a time, as "step 100: lr x0.5".',
)
@click.option("--grad-norm", is_flag=True, help="Record the gradient norm of each update.")
@click.option("--name", default="", help="Added to the name of the run directory.")
@no_ui_option
@runs_dir_option
@user_errors
def run_script(
    command: tuple[str, ...],
    scripted: tuple[str, ...],
    grad_norm: bool,
    name: str,
    no_ui: bool,
    runs_dir: Path,
) -> None:
    """Start a training script as a run, as in: trainconsole run -- python train.py --epochs 3

    What it prints goes to host.log, and it goes on when the terminal is gone; with --no-ui it stays here.
    """
    from trainconsole.engine.config.run import Evaluation, RunConfig
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
        RunConfig(
            script=script,
            commands=tuple(parse_at(text) for text in scripted),
            evaluation=Evaluation(grad_norm=grad_norm),
        ),
        scripts.label(script),
        runs=runs_dir,
        data_dir=default_data_dir(),
        name=name,
        command_line=["trainconsole", *sys.argv[1:]],
    )
    begin(launch, no_ui=no_ui, as_json=False, runs_dir=runs_dir)


@click.command("verify", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--steps",
    default=20,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Updates that are made, and made again.",
)
@click.option("--name", default="", help="Added to the name of the run directory.")
@runs_dir_option
@user_errors
def verify_script(command: tuple[str, ...], steps: int, name: str, runs_dir: Path) -> None:
    """Measure whether undo and resume are exact in a script, as in: trainconsole verify -- python train.py

    Some updates are made, then again after an undo, then again in a new process, and all that moved is
    compared. Exit code 3 where something differs.
    """
    from trainconsole.engine.runs import scripts
    from trainconsole.engine.verify import parent

    if not command:
        raise UserError("verify what? as in: trainconsole verify -- python train.py")
    here = Path.cwd()
    script = scripts.described(command, here, scripts.file_of(command, here))
    run, found = parent.verify(
        script,
        runs=runs_dir,
        steps=steps,
        name=name,
        command_line=["trainconsole", *sys.argv[1:]],
        say=lambda text: say(f"verify: {text}"),
    )
    tell(found.told, lines=True)
    say(f"verify: the record is {run}")
    sys.exit(parent.code(found))
