"""Every kind of damage to every file of a run, and every verb: a sane code, a message, nothing that drives
the terminal, and an end to it."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support import damage as harm
from support.resuming import live, start

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.host import process
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.runs.launch import Launch
from trainconsole.engine.session import setup
from trainconsole.tui.cli import start as begin
from trainconsole.tui.cli.main import main
from trainconsole.tui.run_screen import header, side_panel, timeline
from trainconsole.tui.state.feed import Feed
from trainconsole.tui.state.run_model import Sight

CASES = [(file, kind) for file, kinds in harm.FILES.items() for kind in kinds]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cut off in the middle, with commands, an undo, and checkpoints."""
    launch = start(tmp_path_factory.mktemp("whole"), "iris")
    after = {6: ["lr x0.5"], 8: ["checkpoint mine", "optimizer sgd lr=0.01"], 11: ["undo"], 13: ["batch 8"]}
    with pytest.MonkeyPatch.context() as patch:
        # A slow disk puts no command off.
        patch.setattr("trainconsole.engine.boundary.command_queue.LONGEST", 1e9)
        ran = live(launch, after=after, dies=18)
    (ran.path / "host.log").write_text("a word\n")
    return ran.path


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    path = tmp_path / "runs" / whole.name
    shutil.copytree(whole, path, symlinks=True)
    return path


def damaged(run: Path, file: str, kind: str) -> None:
    target = run / file
    if file == "checkpoints":
        shutil.rmtree(target)
    elif target.is_symlink():
        target = target.resolve()
    harm.FILES[file][kind](target)


STATES: dict[str, Callable[[dict[str, Any]], object]] = {
    "nothing": lambda state: state.clear() or state.update(format=1),
    "no lineage": lambda state: state.pop("lineage"),
    "no generators": lambda state: state.pop("random"),
    "a step below zero": lambda state: state["position"].update(step=-1),
    "a branch that is a text": lambda state: state.update(branch=harm.ESCAPE),
    "a best that is elsewhere": lambda state: state.update(best_file="../../a.pt"),
    "a plan of nothing": lambda state: state.update(plan={}),
    "a config with escapes": lambda state: state["config"].update({harm.ESCAPE: 1}),
    "weights with other names": lambda state: state.update(model={harm.ESCAPE: state["model"]["fc1.weight"]}),
    "weights that are texts": lambda state: state.update(model=dict.fromkeys(state["model"], "x")),
}


class Left(SystemExit):
    """In place of an end of this process."""


@contextmanager
def staying(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def leave(code: int) -> None:
        raise Left(code)

    def begun(launch: Launch, **options: Any) -> None:
        """As far as the host comes without training."""
        if launch.resume:
            trainer = setup.set_up(launch, lambda stage: None)
            status = Status(pid=1, run=launch.path.name)
            loop, _ = setup.begin(trainer, launch, status, _Nobody(), _Nobody())  # type: ignore[arg-type]
            loop.close()
        raise Left(0)

    with monkeypatch.context() as patch:
        patch.setattr(process, "leave", leave)
        patch.setattr(begin, "begin", begun)
        yield


class _Nobody:
    def put(self, thing: object) -> None: ...

    def empty(self) -> bool:
        return True


def attach(run: Path) -> None:
    """What the console reads and says, without a terminal. Raises UserError."""
    sight, feed = Sight(run), Feed(run)
    sight.read(feed)
    sight.settle()
    sight.scene()
    shown = [
        header.header(sight.preset, sight.stage, sight.status, sight.device, 120),
        *side_panel.in_force(sight.status, 60),
        *side_panel.so_far(sight.story, sight.status, sight.metric, 60),
        *timeline.timeline(sight.newest(30), 60, 30),
    ]
    check_text("\n".join(line.plain for line in shown))


def check_text(text: str) -> None:
    assert "Traceback" not in text
    assert not [char for char in text if not char.isprintable() and char != "\n"], repr(text[:500])


VERBS: dict[str, Callable[[Path], list[object]]] = {
    "runs": lambda run: ["runs"],
    "runs --json": lambda run: ["runs", "--json"],
    "ctl": lambda run: ["ctl", run, "pause"],
    "stop": lambda run: ["stop", run],
    "evaluate": lambda run: ["evaluate", run],
    "csv": lambda run: ["export", run, "--csv", run.parent.parent / "a.csv"],
    "preset": lambda run: ["export", run, "--preset", run.parent.parent / "a.toml"],
    "replay": lambda run: ["replay", run, "--no-ui"],
    "resume": lambda run: ["resume", run, "--no-ui"],
    "prune": lambda run: ["runs", "--prune", "--keep", "0", "--yes"],
}


def told(run: Path, verb: str, capfd: pytest.CaptureFixture[str]) -> None:
    """One verb; its output is looked at."""
    words = [str(word) for word in VERBS[verb](run)]
    done = CliRunner().invoke(main, [*words, "--runs-dir", str(run.parent)])
    direct = capfd.readouterr()
    assert done.exception is None or isinstance(done.exception, SystemExit), (verb, done.exception)
    assert done.exit_code in (0, 1, 2), (verb, done.exit_code)
    for text in (done.stdout, done.stderr, direct.out, direct.err):
        check_text(text)
    assert "pickled" not in direct.err
    errors = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert len(errors) <= 3, (verb, done.stderr)
    assert done.exit_code == 0 or errors or done.stdout, verb


@pytest.mark.parametrize(("file", "kind"), CASES, ids=[f"{file}-{kind}" for file, kind in CASES])
@pytest.mark.timeout(120)
def test_whatever_is_damaged(
    run: Path, file: str, kind: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged(run, file, kind)
    with staying(monkeypatch):
        for verb in VERBS:
            if verb == "resume":
                with suppress(UserError):
                    attach(run)
            if run.exists():
                told(run, verb, capfd)


@pytest.mark.parametrize("kind", STATES)
@pytest.mark.parametrize("name", ["last", "best"])
def test_a_whole_checkpoint_that_holds_something_else(
    run: Path, kind: str, name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = (run / "checkpoints" / f"{name}.pt").resolve()
    state = checkpoint.load(file)
    STATES[kind](state)
    checkpoint.save(file.parent, file.name, "", state)
    with staying(monkeypatch):
        for verb in ("evaluate", "resume", "runs"):
            told(run, verb, capfd)


DRAWN = [
    ("events.jsonl", "texts with escapes"),
    ("events.jsonl", "absurd numbers"),
    ("metrics.bin", "a terabyte of nothing"),
    ("metrics.bin", "random"),
    ("metrics.bin", "ones"),
    ("config.toml", "nested as TOML"),
]


@pytest.mark.parametrize(("file", "kind"), DRAWN, ids=[f"{file}-{kind}" for file, kind in DRAWN])
@pytest.mark.timeout(120)
def test_what_can_be_shown_is_drawn(
    run: Path, file: str, kind: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged(run, file, kind)
    picture = run.parent.parent / "a.svg"
    words = ["export", str(run), "--svg", str(picture), "--runs-dir", str(run.parent)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, (done.exception, done.stderr)
    assert "\x1b" not in picture.read_text(encoding="utf-8")


def test_the_list_has_the_others_whatever_lies_beside_them(
    run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Folders in each other without end, links in a circle, files instead of runs, names of all kinds."""
    deep = run.parent / "deep"
    shutil.copytree(run, deep, symlinks=True)
    monkeypatch.chdir(deep)
    for _ in range(1500):
        Path("d").mkdir()
        monkeypatch.chdir("d")
    monkeypatch.chdir("/")
    (deep / "circle").symlink_to(deep)
    (run.parent / "itself").symlink_to("itself")
    (run.parent / "two").symlink_to(run)
    (run.parent / "a file").touch()
    (run.parent / f"esc{harm.ESCAPE}").mkdir()
    shutil.copy(run / "config.toml", run.parent / f"esc{harm.ESCAPE}")
    done = CliRunner().invoke(main, ["runs", "--runs-dir", str(run.parent)])
    assert done.exit_code == 0, done.exception
    check_text(done.stdout)
    assert len(done.stdout.splitlines()) == 4
    assert f"{run.name}" in done.stdout
    assert "deep" in done.stdout
    told(run, "prune", capfd)
    # Python's own removal goes no deeper than its stack.
    subprocess.run(["rm", "-rf", str(deep)], check=True)
