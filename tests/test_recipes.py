"""Recipes of CONTRIBUTING.md, followed in a copy of the source: what they name is all that it takes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.process import PATIENCE, environment

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The directory of the package, to be changed."""
    for part in ("engine", "presets", "tui"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, tmp_path / "trainconsole" / part, ignore=ignored)
    shutil.copytree(ROOT / "engine/api", tmp_path / "trainconsole", ignore=ignored, dirs_exist_ok=True)
    return tmp_path / "trainconsole"


def put(file: Path, old: str, new: str) -> None:
    """What a recipe says is to be added to `file`: `new`, in place of `old`."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, (file, old)
    file.write_text(text.replace(old, new), encoding="utf-8")


def ran(copy: Path, *words: str) -> str:
    """What the changed package says, on both streams."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=copy.parent,
        env=environment(PYTHONPATH=str(copy.parent)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_an_optimizer(copy: Path) -> None:
    struct = '''class ASGD(Optimizer, frozen=True, kw_only=True, tag="asgd"):
    """Averaged stochastic gradient descent."""

    lr: Rate = 1e-2
    lambd: NonNegative = 1e-4


AnyOptimizer = ASGD | Sgd'''
    put(copy / "engine/config/optimizers.py", "AnyOptimizer = Sgd", struct)
    put(
        copy / "engine/optim/optimizers.py",
        '    "sgd": optim.SGD,\n',
        '    "sgd": optim.SGD,\n    "asgd": optim.ASGD,\n',
    )
    steered = ("--at", "step 3: optimizer asgd lambd=1e-3", "--at", "step 8: optimizer adam")
    said = ran(copy, "-m", "trainconsole.tui", "--preset", "iris", "--set", "epochs=2", "--no-ui", *steered)
    assert "optimizer adam -> asgd" in said
    assert "optimizer asgd -> adam" in said
    shown = (
        "from trainconsole.engine.config.optimizers import AnyOptimizer;"
        "from trainconsole.tui.forms.fields import about; print(about(AnyOptimizer, 'asgd'))"
    )
    assert ran(copy, "-c", shown) == "Averaged stochastic gradient descent.\n"


def test_a_preset(copy: Path) -> None:
    shutil.copy(copy / "presets/iris.toml", copy / "presets/petals.toml")
    assert "petals" in ran(copy, "-m", "trainconsole.tui", "presets")
    said = ran(copy, "-m", "trainconsole.tui", "--preset", "petals", "--set", "epochs=1", "--no-ui")
    assert "_petals" in said


def test_a_key(copy: Path) -> None:
    row = '    Key("k", "k", "batch 8", "batches of eight", "steer", command="batch 8", rank=23),\n'
    put(copy / "tui/keys.py", "KEYS = (\n", f"KEYS = (\n{row}")
    shown = (
        "from trainconsole.tui.run_screen.footer import footer;"
        "from trainconsole.tui.run_screen.screen import RunScreen;"
        "print([b.action for b in RunScreen.BINDINGS if b.key == 'k']);"
        "print(footer(400, 1, paused=False)[0].plain)"
    )
    action, keys = ran(copy, "-c", shown).splitlines()
    assert action == "[\"send('batch 8')\"]"
    assert "k batch 8" in keys


def test_the_files_that_the_recipes_name_are_there() -> None:
    named = set(re.findall(r"`((?:engine|tui|presets|tests|docs)/[\w/.]*)`", PAGE))
    assert len(named) > 25
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_a_curve(copy: Path) -> None:
    """A column, what fills it, and its entry among the curves: it is recorded, exported and drawn."""
    rate = '("lr", "<f4"),\n'
    put(copy / "engine/record/metric_rows.py", rate, f'{rate}        ("double", "<f4"),\n')
    filled = '        rows["step"] = '
    double = f'        rows["double"] = 2 * rows["loss"]\n{filled}'
    put(copy / "engine/steering/steered_trainer.py", filled, double)
    entry = '        CurveKind("double", "twice the loss", "train"),\n'
    put(copy / "tui/plotting/curves.py", "    for kind in (\n", f"    for kind in (\n{entry}")
    ran(copy, "-m", "trainconsole.tui", "--preset", "iris", "--set", "epochs=2", "--no-ui")
    export = ("-m", "trainconsole.tui", "export", "last")
    ran(copy, *export, "--csv", "rows.csv")
    ran(copy, *export, "--svg", "a.svg", "--size", "120x60")
    head, first, *_ = (copy.parent / "rows.csv").read_text(encoding="utf-8").splitlines()
    row = dict(zip(head.split(","), first.split(","), strict=True))
    assert float(row["double"]) == pytest.approx(2 * float(row["loss"]), rel=1e-6)
    assert "twice" in (copy.parent / "a.svg").read_text(encoding="utf-8")


def test_an_event(copy: Path) -> None:
    """Emitted at each epoch's end: it is recorded, and told in a timeline and headless."""
    struct = """class Halfway(Event, frozen=True, kw_only=True, tag="halfway"):
    of: int

    def told(self) -> str:
        return f"half of {self.of} epochs are done"


AnyEvent = (
    Halfway
    | Started"""
    put(copy / "engine/protocol/events.py", "AnyEvent = (\n    Started", struct)
    closed = "        meter.begin_epoch()\n"
    emitted = "        if 2 * trainer.epochs_done == trainer.config.epochs:\n"
    emitted += "            self._report.emit(events.Halfway, of=trainer.config.epochs)\n"
    put(copy / "engine/session/epoch_end.py", closed, f"{closed}{emitted}")
    said = ran(copy, "-m", "trainconsole.tui", "--preset", "iris", "--set", "epochs=4", "--no-ui")
    assert "step 12  half of 4 epochs are done" in said
    ran(copy, "-m", "trainconsole.tui", "export", "last", "--svg", "a.svg", "--size", "160x60")
    assert "half" in (copy.parent / "a.svg").read_text(encoding="utf-8")


def test_a_knob(copy: Path) -> None:
    """Its entry, its field, what it does: then `set`, the form and the acknowledgement know it."""
    entry = 'Knob("boost", ("regularisation", "boost"), "scales the loss", "a number from 0"),'
    first = '        Knob(\n            "l1",'
    put(copy / "engine/config/knobs.py", first, f"        {entry}\n{first}")
    field = "    l1: NonNegative = 0.0\n"
    put(copy / "engine/config/run.py", field, f"{field}    boost: NonNegative = 1.0\n")
    used = "        self.scaler.scale(loss).backward()"
    put(copy / "engine/training/trainer.py", used, f"        loss = loss * regularisation.boost\n{used}")
    words = ("--preset", "iris", "--set", "epochs=2", "--no-ui", "--at", "step 3: set boost 2")
    said = ran(copy, "-m", "trainconsole.tui", *words)
    assert "set boost 2" in said
    assert "1 -> 2" in said
    shown = "from trainconsole.tui.forms.knobs import knob_fields; print([f.name for f in knob_fields({})])"
    assert "'boost'" in ran(copy, "-c", shown)
