"""Commands on a run that was recorded: resume, replay, evaluate, export."""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainconsole.engine.errors import UserError
from trainconsole.tui.options import (
    data_dir_option,
    default_data_dir,
    device_option,
    runs_dir_option,
    threads_option,
)
from trainconsole.tui.refusal import fail, need_terminal, user_errors
from trainconsole.tui.trust import trust_option, trusted

if TYPE_CHECKING:
    from trainconsole.engine.evaluation import Evaluation


@click.command()
@click.argument("run")
@click.option("--no-ui", is_flag=True, help="Headless: progress on stderr, result on stdout.")
@click.option("--json", "as_json", is_flag=True, help="With --no-ui: stdout carries the events.")
@click.option(
    "--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Change what has a live command."
)
@trust_option
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
    from trainconsole.tui.begin import begin

    if not no_ui:
        need_terminal()
    path = trusted(runs_dir, run, trust)
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
@click.option("--no-ui", is_flag=True, help="Headless: progress on stderr, result on stdout.")
@click.option("--json", "as_json", is_flag=True, help="With --no-ui: stdout carries the events.")
@click.option(
    "--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Try the recipe with a change."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Try the recipe with another seed.")
@trust_option
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
    from trainconsole.engine.replay import compare, recipe
    from trainconsole.tui.begin import begin

    if not no_ui:
        need_terminal()
    original = trusted(runs_dir, run, trust)
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
        command_line=["trainconsole", *sys.argv[1:]],
    )
    changed = config != wanted.config

    def conclude() -> tuple[int, str]:
        if changed:
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
    from trainconsole.engine.launch import reopen
    from trainconsole.engine.process import leave
    from trainconsole.tui.streams import Stream

    path = trusted(runs_dir, run, trust)
    default = default_data_dir()
    launch = reopen(path, data_dir=data_dir, device=device, threads=threads, default_data_dir=default)
    try:
        # What the model or the data prints is no result.
        with redirect_stdout(sys.stderr):
            from trainconsole.engine import evaluation

            found = evaluation.evaluate(launch, checkpoint)
    except UserError as error:
        click.echo(f"trainconsole: {error}", err=True)
        leave(2)
    if found.warning:
        click.echo(f"warning: {found.warning}", err=True)
    out = Stream(os.dup(1))
    for line in [_json(found)] if as_json else _measured(found, out.width):
        out.write(f"{line}\n")
    out.flush()
    # A normal end would have libraries of torch report leaks of their own on stderr.
    leave(0)


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
    from trainconsole.engine import export as exports
    from trainconsole.engine.record import find, read_meta

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
        words = ["trainconsole", "--preset", str(preset), "--no-ui", "--device", wanted.device]
        if wanted.data_dir != default_data_dir():
            words += ["--data-dir", str(wanted.data_dir)]
        click.echo(f"repeat it with: {shlex.join(words)}", err=True)


def _picture(run: Path, file: Path, size: str) -> None:
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        fail(f"--size: expected COLUMNSxLINES, as 120x40, got '{size}'")
    from trainconsole.tui.camera import to_svg

    to_svg(run, file, (int(width), int(height)))


def _json(found: "Evaluation") -> str:
    import msgspec

    return msgspec.json.encode(found).decode()


def _measured(found: "Evaluation", width: int) -> Iterator[str]:
    """As the result of a run has it."""
    from trainconsole.tui.lines import six
    from trainconsole.tui.plain import harmless
    from trainconsole.tui.result import confusion

    figures = "  ".join(f"{name} {six(value)}" for name, value in found.metrics.items())
    note = f"  ({harmless(found.note)})" if found.note else ""
    yield f"run         {harmless(found.run)}"
    yield f"checkpoint  {harmless(found.checkpoint)}  step {found.step:,}, epoch {found.epoch}"
    yield f"{found.part:<12}{figures}{note}"
    if found.part == "validation":
        yield "            this data has no test part: these are the validation data"
    yield f"sha256      {found.weights_sha256}"
    yield from confusion(found.confusion, found.classes, width)
