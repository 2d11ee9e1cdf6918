"""Escapes in every field of config, record, names and errors; all outputs are looked at."""

import ast
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from support import hostile
from support.emulator import Emulator
from support.hostile import EVIL, NAME, unsafe
from support.piloting import pilot, screen_text
from support.process import trainconsole
from textual.pilot import Pilot
from textual.screen import Screen

from trainconsole import engine, presets, tui
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.parsing import decode, decode_part, encode, override
from trainconsole.engine.protocol.grammar import parse
from trainconsole.engine.record import run_directory
from trainconsole.tui.cli.main import main
from trainconsole.tui.dialogs.finished import FinishedScreen
from trainconsole.tui.dialogs.prompt import PromptScreen
from trainconsole.tui.picker import recent_runs
from trainconsole.tui.picker.screen import PickerScreen
from trainconsole.tui.run_screen.screen import RunScreen
from trainconsole.tui.screenshot import Studio, to_svg
from trainconsole.tui.state import run_list
from trainconsole.tui.state.feed import Feed
from trainconsole.tui.state.run_model import Sight
from trainconsole.tui.text import event_lines, final_report, run_outcome, timeline
from trainconsole.tui.text.format import harmless, quoted

MARKUP = "[bold red]y[/] [/no]"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return hostile.written(tmp_path / "runs")


def test_lines_of_every_event() -> None:
    for event in hostile.events():
        for line in event_lines.lines(event):
            assert harmless(line) == line
        for entry in timeline.entries(event):
            assert (harmless(entry.text), harmless(entry.detail)) == (entry.text, entry.detail)


def test_result_outcome_and_list(run: Path) -> None:
    ended = run_outcome.read(run)
    finished = run_directory.read_events(run)[0][-1]
    (seen,) = recent_runs.look(run.parent, {})
    text = [
        final_report.result(run, finished, width=100, color=False),
        run_outcome.headline(ended),
        *(part for pair in (*run_outcome.facts(ended), *run_outcome.onwards(ended)) for part in pair),
        *(part for pair in recent_runs.facts(seen) for part in pair),
        *recent_runs.entry(seen).cells,
        *run_list.table([seen.row]),
        run_list.as_json([seen.row]),
    ]
    assert unsafe("\n".join(text)) == set()


def shot(screen: Screen[Any], keys: tuple[str, ...] = ()) -> str:
    app, seen = Studio(screen), []

    async def steps(driver: Pilot[None]) -> None:
        await driver.press(*keys)
        await driver.pause(0.3)
        seen.append(screen_text(app))

    pilot(app, (140, 48), steps)
    return seen[0]


def run_screen(run: Path) -> Screen[Any]:
    sight, feed = Sight(run), Feed(run)
    sight.read(feed)
    sight.settle()
    return RunScreen(sight)


SCREENS: dict[str, Callable[[Path], Screen[Any]]] = {
    "run": run_screen,
    "finished": lambda run: FinishedScreen(run_outcome.read(run)),
    "prompt": lambda run: PromptScreen(EVIL, EVIL, EVIL),
}


@pytest.mark.parametrize("key", [[], ["g"]], ids=["drawn", "listed"])
def test_own_numbers(key: list[str], run: Path) -> None:
    sight, feed = Sight(run), Feed(run)
    sight.read(feed)
    assert sight.own.keys == (f"own:{hostile.NUMBER}",)
    text = shot(RunScreen(sight), (*key,))
    assert unsafe(text) == set()
    assert text.count("[bold red]y[/] [/no] [@click=q]") > len(key)


@pytest.mark.parametrize("screen", SCREENS)
def test_screens(screen: str, run: Path) -> None:
    text = shot(SCREENS[screen](run))
    assert unsafe(text) == set()
    assert "[bold" in text


def test_the_picker_lists_it(run: Path) -> None:
    text = shot(PickerScreen(run.parent), ("tab",))
    assert unsafe(text) == set()
    assert "forged" in text


def test_a_picture(run: Path, tmp_path: Path) -> None:
    to_svg(run, tmp_path / "x.svg", (120, 40))
    assert unsafe((tmp_path / "x.svg").read_text(encoding="utf-8")) <= {"\xa0"}


COMMANDS = [
    ["runs"],
    ["runs", "--json"],
    ["runs", "--prune", "--keep", "0"],
    ["ctl", "last", "pause"],
    ["ctl", "last", EVIL],
    ["stop", "last"],
    ["attach", "last"],
    ["evaluate", "last"],
    ["replay", "last", "--no-ui"],
    ["replay", EVIL, "--no-ui"],
    ["resume", "last", "--no-ui"],
    ["export", "last", "--csv", f"{EVIL.replace('/', '')}.csv"],
    ["export", "last", "--csv", f"{EVIL}/x"],
    ["export", "last", "--preset", "x.toml"],
    ["export", "last", "--size", EVIL, "--svg", "x.svg"],
    ["presets", EVIL],
    [EVIL],
    [f"--{EVIL}"],
    ["--seed", EVIL],
    ["--device", EVIL],
    ["runs", EVIL],
    ["--preset", EVIL, "--no-ui"],
    ["--preset", f"{EVIL}.toml", "--no-ui"],
    ["--preset", "iris", "--no-ui", "--set", EVIL],
    ["--preset", "iris", "--no-ui", "--set", f"{EVIL}=1"],
    ["--preset", "iris", "--no-ui", "--set", f"epochs={EVIL}"],
    ["--preset", "iris", "--no-ui", "--set", f"model.name={EVIL}"],
    ["--preset", "iris", "--no-ui", "--set", "data.name=iris\udcff"],
    ["--preset", "iris", "--no-ui", "--at", EVIL],
    ["--preset", "iris", "--no-ui", "--at", f"epoch 1: {EVIL}"],
    ["--preset", "iris", "--no-ui", "--at", "step 1: checkpoint x\udcff"],
    ["--preset", "iris", "--no-ui", "--runs-dir", "runs\udcff"],
    ["--preset", "iris", "--no-ui", "--data-dir", "data\udcff"],
]


@pytest.mark.parametrize("args", COMMANDS, ids=lambda args: " ".join(map(ascii, args))[:60])
def test_command_lines(args: list[str], run: Path) -> None:
    done = CliRunner().invoke(main, args)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert unsafe(done.output) == set()


def test_attach_on_a_terminal(run: Path, tmp_path: Path) -> None:
    with Emulator("attach", "last", cwd=tmp_path, width=140) as console:
        console.until("Completed: every epoch is done")
        console.press("q")
        assert console.end() == 0
    drives_nothing(console.sent)


SETS = f"""
import torch
EVIL = {EVIL!r}

class Named(torch.utils.data.Dataset):
    classes, targets = [EVIL, EVIL + "2"], [0, 1] * 20
    def __len__(self):
        return 40
    def __getitem__(self, index):
        return torch.tensor([float(index)] * 4), index % 2

def fails():
    raise RuntimeError(EVIL)
"""


def drives_nothing(sent: bytes) -> None:
    text = sent.decode(errors="surrogateescape")
    assert "PWNED" in text
    assert "\x1b]0;" not in text
    # Textual itself ends an order with a bell.
    assert unsafe(text) <= {"\x1b", "\r", "\x07"}


def test_a_run_on_a_terminal_whose_classes_drive_it(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(SETS, encoding="utf-8")
    options = ["--preset", "iris", "--no-ui", "--threads", "1", "--set", "epochs=1"]
    for name, code in (("Named", 0), ("fails", 2)):
        with Emulator(*options, "--set", f"data.name=own:{name}", cwd=tmp_path, width=140) as console:
            assert console.end() == code, console.text
        drives_nothing(console.sent)


ALLOWED = {
    "cli/streams.py": {"write"},
    "cli/entry.py": {"write"},
    "sets/downloads.py": {"print"},
    "host/main.py": {"print"},
    "attach/attach.py": {"print"},
    "unchanged/noticing.py": {"print"},
    "startup/sitecustomize.py": {"write"},
}


def test_messages_go_out_by_one_place_only() -> None:
    """Whatever prints by itself would not be made harmless."""
    for package in (engine, presets, tui):
        for file in Path(str(package.__file__)).parent.rglob("*.py"):
            found = set(printing(ast.parse(file.read_text(encoding="utf-8"))))
            assert found <= ALLOWED.get("/".join(file.parts[-2:]), set()), file


def printing(tree: ast.AST) -> list[str]:
    """The calls that write to a standard stream, by the last part of their name."""
    names = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    own = ("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write", "self._err.write")
    return [name.rpartition(".")[2] for name in names if name in own]


def test_an_exported_preset_is_harmless_and_the_same(run: Path, tmp_path: Path) -> None:
    text = encode(run_directory.read_config(run))
    assert unsafe(text) == set()
    assert decode(tomllib.loads(text)).description == EVIL


def test_what_was_forged_stands_on_the_line_it_was_put_in() -> None:
    for refuse in (
        lambda: parse("ctl\nforged: line".replace("ctl\n", "a\u2028b")),
        lambda: override(presets.load("iris")[1], ["a\nforged: line=1"]),
        lambda: decode_part({"a\nforged": 1}, type(presets.load("iris")[1])),
    ):
        with pytest.raises(UserError) as error:
            refuse()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [NAME, "it's \\ 5", "plain", "犬"])
def test_a_quoted_name_is_harmless_and_a_shell_reads_it_back(name: str) -> None:
    assert harmless(quoted(name)) == quoted(name)
    read = os.popen(f"bash -c {quoted('printf %s ' + quoted(name))}")
    with read:
        assert os.fsencode(read.buffer.read().decode("utf-8", "surrogateescape")) == os.fsencode(name)


def test_names_of_files_that_are_not_utf8_break_nothing(tmp_path: Path) -> None:
    for name in (b"caf\xe9", b"\x1b[31mred"):
        folder = os.path.join(os.fsencode(tmp_path), b"pics", name)
        os.makedirs(folder)
        for index in range(8):
            Image.new("L", (8, 8), index).save(os.path.join(folder, b"%d\xff.png" % index))
    options = ["--set", "data.name=image_folder", "--set", "data.path=pics", "--set", "epochs=1"]
    ended = trainconsole("--preset", "digits", "--no-ui", *options, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert unsafe(ended.out + ended.err) == set()
    assert r"caf\xe9" in ended.out
    (run,) = (tmp_path / "runs").iterdir()
    assert run_directory.read_events(run)[0][-1].classes == ("\x1b[31mred", r"caf\xe9")
