"""resume, replay, evaluate and export as commands: what they print, and what they refuse."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.process import Ended, only_run, trainconsole
from support.running import run

from trainconsole.engine.record import run_directory
from trainconsole.tui.cli.main import main
from trainconsole.tui.cli.trust import trusted

SCRIPT = {
    3: "lr x2",
    6: "set dropout 0.1",
    9: "batch 8",
    12: "undo",
    14: "schedule cosine",
    16: "optimizer adamw",
    18: "set l1 0.001",
    20: "undo",
    22: "set clip.norm 1",
    24: "set weight_decay 0.01",
    26: "epochs 9",
    28: "lr 0.003",
    45: "stop",
}
UNDONE = ("batch 8", "set l1 0.001")


class Original:
    """A run with eleven commands that change training, two of them undone, and what it printed."""

    def __init__(self, folder: Path) -> None:
        at = [word for step, what in SCRIPT.items() for word in ("--at", f"step {step}: {what}")]
        settings = ["--set", "epochs=8", "--set", "model.dropout=0.2"]
        self.ended = trainconsole("--preset", "iris", "--no-ui", *settings, *at, cwd=folder)
        assert self.ended.code == 0, self.ended.err
        self.path = only_run(folder)
        self.last = json.loads((self.path / "events.jsonl").read_text().splitlines()[-1])
        self.sha256 = self.last["weights_sha256"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    return Original(tmp_path_factory.mktemp("original"))


@pytest.fixture
def moved(original: Original, tmp_path: Path) -> Path:
    """A copy of the run at another place."""
    return Path(shutil.copytree(original.path, tmp_path / "elsewhere" / "moved", symlinks=True))


def replayed(path: Path, cwd: Path, *args: str) -> Ended:
    return trainconsole("replay", str(path), "--no-ui", *args, cwd=cwd)


def asked(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def test_a_replay_of_a_moved_run_is_identical(original: Original, moved: Path, tmp_path: Path) -> None:
    kept = [what for what in SCRIPT.values() if what not in (*UNDONE, "undo")]
    assert [what for _, what in original.last["lineage"]] == kept
    assert len(kept) >= 8
    ended = replayed(moved, tmp_path)
    assert (ended.code, ended.out.splitlines()[-1]) == (0, f"identical: sha256 {original.sha256}"), ended.err
    assert only_run(tmp_path).name.endswith("_iris-replay")


def test_the_exported_preset_comes_to_the_same_weights(original: Original, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    done = asked("export", original.path, "--preset", file)
    assert (done.exit_code, done.stdout) == (0, "")
    words = done.stderr.splitlines()[-1].removeprefix("repeat it with: trainconsole ").split()
    assert words[:3] == ["--preset", str(file), "--no-ui"]
    ended = trainconsole(*words, cwd=tmp_path)
    assert f"sha256    {original.sha256}" in ended.out, ended.err


def test_a_recipe_that_was_tampered_with_differs(moved: Path, original: Original, tmp_path: Path) -> None:
    """One of its commands is another: the curves part at the step after it. With --json the verdict is on
    stderr; --set of what is so already is no change."""
    events = (moved / "events.jsonl").read_text()
    assert '[28,"lr 0.003"]' in events
    (moved / "events.jsonl").write_text(events.replace('[28,"lr 0.003"]', '[28,"lr 0.004"]'))
    ended = replayed(moved, tmp_path, "--set", "batch_size=16", "--json")
    assert ended.code == 3
    assert ended.events[-1]["weights_sha256"] != original.sha256
    said = re.fullmatch(
        r"different: the curves part at step 29, lr (\S+) and (\S+), 0.001 apart", ended.err.splitlines()[-1]
    )
    assert said is not None, ended.err
    assert [float(number) for number in said.groups()] == pytest.approx([0.003, 0.004])


def test_a_recipe_with_a_change_is_not_compared(original: Original, tmp_path: Path) -> None:
    ended = replayed(original.path, tmp_path, "--seed", "7", "--set", "data.split.seed=1", "--json")
    assert ended.code == 0
    assert f"not compared with {original.path.name}: the recipe was changed" in ended.err
    assert ended.events[0]["seed"] == 7
    assert ended.events[-1]["lineage"] == original.last["lineage"]
    assert ended.events[-1]["weights_sha256"] != original.sha256


def test_evaluate_prints_what_the_run_printed(original: Original, moved: Path, tmp_path: Path) -> None:
    before = {path: path.lstat().st_mtime_ns for path in [moved, *moved.rglob("*")]}
    ended = trainconsole("evaluate", str(moved), "--checkpoint", "last", cwd=tmp_path)
    assert ended.code == 0, ended.err
    lines, wanted = ended.out.splitlines(), original.ended.out.splitlines()
    at = wanted.index("confusion (rows: true, columns: predicted)")
    assert lines[lines.index(wanted[at]) :] == wanted[at : at + 5]
    told = next(line for line in wanted if line.startswith("test "))
    figures = told.partition("  of the last weights")[0].split()[1:]
    assert next(line.split()[1:] for line in lines if line.startswith("test ")) == figures
    assert f"sha256      {original.sha256}" in lines
    assert {path: path.lstat().st_mtime_ns for path in [moved, *moved.rglob("*")]} == before
    assert not (tmp_path / "runs").exists()


CHATTY = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 3))
        print("a word from the model")
"""


def test_evaluate_as_json_without_a_test_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the model prints is not among it."""
    (tmp_path / "chatty.py").write_text(CHATTY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    ran = run(tmp_path, "iris", "model.name=chatty:Net", "data.split.test=0")
    options = ("--checkpoint", "last", "--threads", "1")
    ended = trainconsole("evaluate", str(ran.path), *options, "--json", cwd=tmp_path)
    (found,) = ended.events
    assert (ended.code, found["part"], found["metrics"]) == (0, "validation", ran.of("epoch")[-1]["val"])
    assert found["weights_sha256"] == ran.last["weights_sha256"]
    assert ended.err == "a word from the model\n"
    ended = trainconsole("evaluate", str(ran.path), *options, cwd=tmp_path)
    assert "no test part: these are the validation data" in ended.out


def test_evaluate_of_what_is_not_there(original: Original, tmp_path: Path) -> None:
    ended = trainconsole("evaluate", str(original.path), "--checkpoint", "mine", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert line.endswith("no checkpoint 'mine'; there are: best, last")


@pytest.mark.parametrize("args", [[], ["--csv", "a.csv", "--preset", "a.toml"]])
def test_export_needs_exactly_one_target(
    original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = asked("export", original.path, *args)
    assert done.exit_code == 2
    assert "exactly one of --csv FILE, --tensorboard DIR, --preset FILE.toml and --svg FILE" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_export_writes_the_curve_and_keeps_a_preset(original: Original, tmp_path: Path) -> None:
    assert asked("export", original.path, "--csv", tmp_path / "a.csv").exit_code == 0
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "step,branch,epoch,time,loss,metric,lr,grad_norm"
    assert [line.split(",")[0] for line in lines[1:]] == [str(step) for step in range(1, 46)]
    (tmp_path / "a.toml").write_text("mine = 1\n")
    refused = asked("export", original.path, "--preset", tmp_path / "a.toml")
    assert (refused.exit_code, "a.toml is there already" in refused.stderr) == (2, True)
    assert asked("export", original.path, "--preset", tmp_path / "a.toml", "--force").exit_code == 0
    nowhere = asked("export", original.path, "--csv", tmp_path / "no" / "a.csv")
    assert (nowhere.exit_code, nowhere.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("verb", ["resume", "replay"])
def test_without_a_terminal_it_names_no_ui(
    original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = asked(verb, original.path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "add --no-ui" in done.stderr
    assert list(tmp_path.iterdir()) == []


VERBS: dict[str, Callable[[Path], list[object]]] = {
    "resume": lambda path: ["resume", path, "--no-ui"],
    "replay": lambda path: ["replay", path, "--no-ui"],
    "evaluate": lambda path: ["evaluate", path],
    "export": lambda path: ["export", path, "--csv", path.parent / "a.csv"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_another_format_is_refused_in_one_sentence(moved: Path, verb: str) -> None:
    """Before anything else is read, which may be of that format too."""
    run_directory.write_meta(moved, {**json.loads((moved / "meta.json").read_text()), "format": 2})
    (moved / "config.toml").write_text("of_the_future = true\n")
    done = asked(*VERBS[verb](moved))
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert "written in format 2, this version reads format 1" in line


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a run another user's")
@pytest.mark.parametrize("verb", VERBS)
def test_a_run_of_another_user_asks_for_trust(moved: Path, verb: str) -> None:
    """Before it runs what may be their code; to export runs none."""
    os.chown(moved, 65534, 65534)
    done = asked(*VERBS[verb](moved))
    if verb == "export":
        assert done.exit_code == 0
        return
    assert done.exit_code == 2
    assert "belongs to another user (uid 65534)" in done.stderr
    assert "say --trust" in done.stderr
    assert trusted(Path("runs"), str(moved), trust=True) == moved


def test_help_names_what_there_is() -> None:
    text = asked("--help").stdout
    assert all(f"  {verb} " in text for verb in VERBS)
    assert "--checkpoint best|last|NAME" in asked("evaluate", "--help").stdout
