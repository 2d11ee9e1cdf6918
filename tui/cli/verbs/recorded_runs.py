"""Commands on a run that was recorded: resume, replay, evaluate, export."""

import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainconsole.engine.common import signals
from trainconsole.engine.common.errors import UserError
from trainconsole.tui.cli.exits import fail, need_terminal, user_errors
from trainconsole.tui.cli.options import (
    data_dir_option,
    default_data_dir,
    device_option,
    json_option,
    no_ui_option,
    runs_dir_option,
    threads_option,
)
from trainconsole.tui.cli.streams import refusal, say
from trainconsole.tui.cli.trust import changed_option, check_unchanged, trust_option, trusted

if TYPE_CHECKING:
    from trainconsole.engine.runs.replay import Recipe
    from trainconsole.engine.session.evaluation import Evaluation


@click.command()
@click.argument("run")
@no_ui_option
@json_option
@click.option(
    "--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Change what has a live command."
)
@trust_option
@changed_option
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
    changed: bool,
    device: Any,
    threads: int | None,
    data_dir: Path | None,
    runs_dir: Path,
) -> None:
    """Go on with RUN where its last checkpoint is, commands given since included."""
    from trainconsole.engine.runs.launch import reopen
    from trainconsole.tui.cli.start import begin

    if not no_ui:
        need_terminal()
    path = trusted(runs_dir, run, trust)
    check_unchanged(path, changed)
    launch = reopen(
        path,
        assignments=assignments,
        data_dir=data_dir,
        device=device,
        threads=threads,
        default_data_dir=default_data_dir(),
        command_line=["trainconsole", *sys.argv[1:]],
    )
    begin(launch, no_ui=no_ui, as_json=as_json, runs_dir=runs_dir)


@click.command()
@click.argument("run")
@no_ui_option
@json_option
@click.option(
    "--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Try the recipe with a change."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Try the recipe with another seed.")
@trust_option
@changed_option
@runs_dir_option
@user_errors
def replay(
    run: str,
    no_ui: bool,
    as_json: bool,
    assignments: tuple[str, ...],
    seed: int | None,
    trust: bool,
    changed: bool,
    runs_dir: Path,
) -> None:
    """Repeat RUN from its config and its commands, and compare the weights; exit 3 where they differ."""
    from msgspec.structs import replace

    from trainconsole.engine.config.parsing import override
    from trainconsole.engine.runs.launch import prepare
    from trainconsole.engine.runs.replay import compare, recipe, unattended
    from trainconsole.tui.cli.start import begin

    if not no_ui:
        need_terminal()
    signals.hold()
    original = trusted(runs_dir, run, trust)
    check_unchanged(original, changed)
    wanted = recipe(original)
    _warn(wanted)
    config = override(wanted.config, assignments)
    config = config if seed is None else replace(config, seed=seed)
    launch = prepare(
        unattended(config) if no_ui else config,
        wanted.preset,
        runs=runs_dir,
        data_dir=wanted.data_dir,
        name="replay",
        device=wanted.device,
        command_line=["trainconsole", *sys.argv[1:]],
    )
    begins_with = str(original) if config.script is not None else ""
    launch = replace(launch, repeats=wanted.data, begins_with=begins_with)
    is_another = config != wanted.config

    def conclude() -> tuple[int, str]:
        if is_another:
            return 0, f"not compared with {original.name}: the recipe was changed"
        same, text = compare(original, launch.path, wanted)
        return (0 if same else 3), text

    begin(launch, no_ui=no_ui, as_json=as_json, runs_dir=runs_dir, conclude=conclude)


@click.command()
@click.argument("run")
@click.option("--checkpoint", metavar="best|last|NAME", help="Default: best if there is one, else last.")
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object.")
@trust_option
@device_option
@threads_option
@data_dir_option
@runs_dir_option
@user_errors
def evaluate(
    run: str,
    checkpoint: str | None,
    as_json: bool,
    trust: bool,
    device: Any,
    threads: int | None,
    data_dir: Path | None,
    runs_dir: Path,
) -> None:
    """Measure saved weights of RUN on its test data; the run is only read."""
    from trainconsole.engine.host.process import leave
    from trainconsole.engine.runs.launch import reopen
    from trainconsole.tui.cli.streams import Stream

    path = trusted(runs_dir, run, trust)
    default = default_data_dir()
    launch = reopen(path, data_dir=data_dir, device=device, threads=threads, default_data_dir=default)
    if launch.config.script is not None:
        fail(
            f"{path.name} is the run of a script, whose model and data are its own\n"
            f"torch.load('{path}/checkpoints/last.pt', weights_only=True)['model'] are the weights"
        )
    try:
        # What the model or the data prints is no result.
        with redirect_stdout(sys.stderr):
            from trainconsole.engine.session import evaluation

            found = evaluation.evaluate(launch, checkpoint)
    except UserError as error:
        say(refusal(error), lines=True)
        leave(2)
    if found.warning:
        say(f"warning: {found.warning}")
    out = Stream(os.dup(1))
    for line in [_json(found)] if as_json else _measured(found, out.width):
        out.say(line)
    out.flush()
    if out.lost:
        say(refusal(f"cannot write to stdout: {out.lost}"))
    # A normal end would have libraries of torch report leaks of their own on stderr.
    leave(1 if out.lost else 0)


@click.command()
@click.argument("run")
@click.option("--csv", metavar="FILE", type=click.Path(path_type=Path), help="The curve, a line a step.")
@click.option(
    "--tensorboard", metavar="DIR", type=click.Path(path_type=Path), help="Curve and epochs as scalars."
)
@click.option(
    "--preset", metavar="FILE.toml", type=click.Path(path_type=Path), help="A preset that repeats it."
)
@click.option(
    "--svg", metavar="FILE", type=click.Path(path_type=Path), help="A picture of the console on the run."
)
@click.option("--size", default="120x40", show_default=True, help="With --svg: columns x lines.")
@click.option("--force", is_flag=True, help="With --preset: replace a file that is there.")
@runs_dir_option
@user_errors
def export(
    run: str,
    csv: Path | None,
    tensorboard: Path | None,
    preset: Path | None,
    svg: Path | None,
    size: str,
    force: bool,
    runs_dir: Path,
) -> None:
    """Write RUN for other tools, or as a preset that repeats it. Needs exactly one of --csv, --tensorboard,
    --preset and --svg."""
    from trainconsole.engine.record.run_directory import find, read_meta
    from trainconsole.engine.runs import export as exports
    from trainconsole.tui.text.format import quoted

    if sum(chosen is not None for chosen in (csv, tensorboard, preset, svg)) != 1:
        fail("export needs exactly one of --csv FILE, --tensorboard DIR, --preset FILE.toml and --svg FILE")
    path = find(runs_dir, run)
    read_meta(path)
    if csv is not None:
        exports.to_csv(path, csv)
    elif tensorboard is not None:
        exports.to_tensorboard(path, tensorboard)
    elif svg is not None:
        _picture(path, svg, size)
    elif preset is not None:
        wanted = exports.to_preset(path, preset, force=force)
        _warn(wanted)
        words = ["trainconsole", "--preset", str(preset), "--no-ui", "--device", wanted.device]
        if wanted.data_dir != default_data_dir():
            words += ["--data-dir", str(wanted.data_dir)]
        say(f"repeat it with: {' '.join(map(quoted, words))}")


def _warn(wanted: "Recipe") -> None:
    """What of the record could not be read."""
    for why in wanted.warnings:
        say(f"warning: {why}")


def _picture(run: Path, file: Path, size: str) -> None:
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        fail(f"--size: expected COLUMNSxLINES, as 120x40, got '{size}'")
    from trainconsole.tui.screenshot import to_svg

    to_svg(run, file, (int(width), int(height)))


def _json(found: "Evaluation") -> str:
    from trainconsole.engine.common.escapes import as_json

    return as_json(found).decode()


def _measured(found: "Evaluation", width: int) -> Iterator[str]:
    """As the result of a run has it."""
    from trainconsole.tui.text.event_lines import six
    from trainconsole.tui.text.final_report import confusion

    figures = "  ".join(f"{name} {six(value)}" for name, value in found.metrics.items())
    note = f"  ({found.note})" if found.note else ""
    yield f"run         {found.run}"
    yield f"checkpoint  {found.checkpoint}  step {found.step:,}, epoch {found.epoch}"
    yield f"{found.part:<12}{figures}{note}"
    if found.part == "validation":
        yield "            this data has no test part: these are the validation data"
    yield f"sha256      {found.weights_sha256}"
    yield from confusion(found.confusion, found.classes, width)
