"""Options that several commands share."""

from pathlib import Path

import click

DEFAULT_RUNS = Path("runs")

device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Default: auto."
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    help="Threads that torch uses (default: all cores, one for a small MLP).",
)
no_ui_option = click.option("--no-ui", is_flag=True, help="Headless: progress on stderr, result on stdout.")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="With --no-ui: stdout carries the events, one JSON line each."
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, readable=False),
    help="Where data sets are kept (default: the user's cache).",
)
runs_dir_option = click.option(
    "--runs-dir",
    type=click.Path(path_type=Path, readable=False),
    default=DEFAULT_RUNS,
    show_default=True,
    help="Where run directories go.",
)


def default_data_dir() -> Path:
    from trainconsole.engine.common import user_dirs

    return user_dirs.cache()
