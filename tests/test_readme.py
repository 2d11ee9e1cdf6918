"""What README.md and docs/ show is run, what they list is complete."""

import html
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from click import Option
from support.process import PATIENCE, Ended, environment, only_run, trainconsole

from trainconsole import presets
from trainconsole.engine.config import data, losses, models, optimizers, schedules, tasks
from trainconsole.engine.config.knobs import KNOBS
from trainconsole.engine.config.parsing import variants
from trainconsole.engine.config.run import (
    Checkpoints,
    Clip,
    EarlyStopping,
    Evaluation,
    Regularisation,
    RunConfig,
)
from trainconsole.engine.record.metric_rows import ROW
from trainconsole.tui.cli.main import main
from trainconsole.tui.keys import ASKED, KEYS, Asked, Key

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
"""All of it: a thing is shown once, wherever that is."""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
UNIONS = (data.AnyData, models.AnyModel, losses.AnyLoss, optimizers.AnyOptimizer, schedules.AnySchedule)
SECTIONS = (RunConfig, data.Split, data.Augment, Clip, Regularisation)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(README) if kind == language]


def files() -> dict[str, str]:
    """Code blocks whose first line is a file's name, by that name."""
    found = (re.match(r"# (\w+\.\w+)\n", text) for text in blocks("python") + blocks("toml"))
    return {match[1]: match.string for match in found if match}


def command(start: str) -> list[str]:
    """The words of the one command in the README that begins with `start`."""
    lines = {
        line.removeprefix("$ ")
        for kind in ("sh", "text")
        for block in blocks(kind)
        for line in block.splitlines()
    }
    (line,) = [line for line in lines if line.startswith(start)]
    return shlex.split(line)


def transcript(start: str) -> list[str]:
    """What the README shows below the command that begins with `start`."""
    (block,) = [text for text in blocks("text") if text.startswith(f"$ {start}")]
    return block.splitlines()[1:]


@dataclass(frozen=True)
class Mine:
    """The run of the README's own model, data, loss and optimizer, in the folder with its files."""

    folder: Path
    run: Path
    ended: Ended

    def python(self, script: str) -> list[str]:
        """What a script of the README prints when it is given the run."""
        done = subprocess.run(
            [sys.executable, script, str(self.run)],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Mine:
    folder = tmp_path_factory.mktemp("mine")
    for name, text in files().items():
        (folder / name).write_text(text)
    words = command("trainconsole --preset mine.toml")
    ended = trainconsole(*words[1:], "--at", "step 100: set augment 0.5", cwd=folder)
    assert ended.code == 0, ended.err
    return Mine(folder, only_run(folder), ended)


def test_a_run_of_ones_own_parts(mine: Mine) -> None:
    assert mine.run.name.endswith("_mine-first")
    accuracy = re.search(r"^test .* accuracy (\S+)", mine.ended.out, re.MULTILINE)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.9
    (rejected,) = [line for line in mine.ended.err.splitlines() if "rejected" in line]
    assert f"`{rejected}`" in README


def test_the_same_run_has_the_same_weights(mine: Mine, tmp_path: Path) -> None:
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    again = trainconsole(*command("trainconsole --preset mine.toml")[1:], cwd=tmp_path)
    digests = [re.findall(r"^sha256 +(\w{64})$", ended.out, re.MULTILINE) for ended in (mine.ended, again)]
    assert len(digests[0]) == 1
    assert digests[0] == digests[1]


def test_best_weights_in_a_script(mine: Mine) -> None:
    assert mine.python("use_best.py") == transcript("python use_best.py") == ["['0', '0', '0']"]


def test_metrics_in_a_script(mine: Mine) -> None:
    shown, printed = transcript("python read_run.py"), mine.python("read_run.py")
    assert [line.split()[:2] for line in printed] == [line.split()[:2] for line in shown]
    assert printed[1] == shown[1]


def test_the_worked_example_says_what_it_says_here(tmp_path: Path) -> None:
    start = "trainconsole --preset digits --no-ui --set"
    ended = trainconsole(*command(start)[1:], cwd=tmp_path)
    assert ended.code == 0, ended.err
    printed, shown = ended.err.splitlines(), transcript(start)
    at = next(index for index, line in enumerate(shown) if line.startswith("step "))
    assert "\n".join(shown[at : at + 2]) in ended.err
    assert [line.split()[:4] for line in shown if line.startswith("epoch")] == [
        line.split()[:4] for line in printed if line.startswith(("epoch   5", "epoch   6"))
    ]


def names() -> Iterator[str]:
    for union in UNIONS:
        for tag, struct in variants(union).items():
            yield from (tag,) if tag != "import" else ()
            yield from (field.encode_name for field in msgspec.structs.fields(struct) if tag != "import")
    for section in (*SECTIONS, EarlyStopping, Evaluation, Checkpoints):
        yield from (field.encode_name for field in msgspec.structs.fields(section))
    yield from (*presets.names(), *KNOBS, *tasks.NAMES, *(ROW.names or ()))


@pytest.mark.parametrize("name", sorted(set(names()) - {"target"}))
def test_the_reference_is_complete(name: str) -> None:
    """As code, alone or at the end of a path, or as the head of a section."""
    assert re.search(rf"[`\[.]{re.escape(name)}[`\]. ]", README), f"README.md does not say what {name} is"


@pytest.mark.parametrize("option", [o.opts[-1] for o in main.params if isinstance(o, Option)])
def test_every_option_is_listed(option: str) -> None:
    assert f"`{option}" in README


@pytest.mark.parametrize(
    "verb", ["lr", "schedule", "optimizer", "set", "batch", "epochs", "stop", "evaluate"]
)
def test_commands_are_of_the_grammar(verb: str) -> None:
    assert f"| `{verb}" in README


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.shown)
def test_every_key_is_in_the_table(key: Key) -> None:
    signs = " ".join(f"`{sign}`" for sign in key.shown.split())
    assert f"| {signs} | {key.help} |\n" in README


@pytest.mark.parametrize("asked", [asked for asked in ASKED if asked.start], ids=lambda asked: asked.name)
def test_what_has_no_key_is_listed(asked: Asked) -> None:
    assert f"`{asked.name}`" in " ".join(README.split())


def words(picture: Path) -> str:
    """What a picture of the console says, its lines joined."""
    texts = re.findall(r"<text[^>]*>([^<]+)<", picture.read_text(encoding="utf-8"))
    return " ".join(html.unescape(" ".join(texts)).split())


@pytest.fixture(scope="module")
def picture() -> Path:
    (source,) = re.findall(r'<img src="([^"]+)"', PAGES[0].read_text(encoding="utf-8"))
    return ROOT / str(source)


def made() -> str:
    """The commands that make the picture."""
    (block,) = [text for text in blocks("sh") if "--svg docs/" in text]
    return block


def test_the_picture_is_the_console(picture: Path) -> None:
    assert f"--svg {picture.relative_to(ROOT)} " in made()
    said = words(picture)
    for part in (
        "digits",
        "loss",
        "accuracy",
        "learning rate",
        "gradient norm",
        "in force",
        "so far",
        "timeline",
    ):
        assert part in said
    for key in KEYS:
        assert key.rank == 0 or key.group != "steer" or key.keys == "space" or key.brief in said
    for scripted in re.findall(r'--at "epoch \d+: (?:optimizer )?([^"]+)"', made()):
        assert scripted in said
    assert picture.stat().st_size < 150_000
    assert not re.search(r"url\((?!#)|href|@font-face", picture.read_text(encoding="utf-8")), (
        "it must need no other file"
    )


@pytest.mark.slow
def test_the_picture_comes_of_its_commands(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    shell = f'trainconsole() {{ {sys.executable} -m trainconsole.tui "$@"; }}\n{made()}wait'
    done = subprocess.run(
        ["timeout", str(2 * PATIENCE), "bash", "-c", shell],
        cwd=tmp_path,
        env=environment(XDG_STATE_HOME=str(tmp_path / "state")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    drawn = words(tmp_path / picture.relative_to(ROOT))
    for part in ("paused", "timeline", *re.findall(r'--at "epoch \d+: (?:optimizer )?([^"]+)"', made())):
        assert part in drawn


def anchors(page: Path) -> set[str]:
    """What a link to a heading of `page` may say after its #."""
    lines = BLOCK.sub("", page.read_text(encoding="utf-8")).splitlines()
    heads = (line.lstrip("# ").lower() for line in lines if line.startswith("#"))
    return {re.sub(r"[^\w -]", "", head).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", BLOCK.sub("", page.read_text(encoding="utf-8"))):
        name, _, anchor = target.partition("#")
        there = page.parent / name if name else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_the_readme_is_short() -> None:
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) < 200


def test_lines_are_not_too_long_to_read() -> None:
    code = [line for _, text in BLOCK.findall(README) for line in text.splitlines()]
    assert max(len(line) for line in code) <= 100
