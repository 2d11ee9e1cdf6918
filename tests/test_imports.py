"""Who may import whom, seen in a fresh interpreter."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.process import environment

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "torchvision", "sklearn", "textual")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
NO_TORCH = [m for c in CONTRACTS if "torch" in c.get("forbidden_modules", ()) for m in c["source_modules"]]


def loaded(code: str, cwd: Path) -> set[str]:
    """The packages that are loaded after `code`, by their first name."""
    code += (
        "\nimport sys; print('LOADED', *{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("LOADED")[2].split())


def invoked(*args: str) -> str:
    return f"""
import sys
from trainconsole.tui.cli.main import main
sys.argv = ["trainconsole", *{args!r}]
try:
    main()
except SystemExit as ending:
    assert not ending.code, ending.code
"""


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["presets"], ["presets", "mnist"]], ids=" ".join)
def test_what_a_person_asks_first_is_answered_without_torch(args, tmp_path):
    assert not loaded(invoked(*args), tmp_path) & {*HEAVY, "numpy", "plotext"}


def test_what_needs_no_torch_loads_none(tmp_path):
    """All that the contract of import-linter names, in one interpreter."""
    modules = [*(module for package in NO_TORCH for module in modules_of(package)), *no_torch_modules()]
    assert "trainconsole.engine.protocol.events" in modules
    code = "\n".join(f"import {module}" for module in modules)
    assert not loaded(code, tmp_path) & {"torch", "torchvision", "sklearn"}


def modules_of(package: str) -> list[str]:
    """The dotted names of all modules below the directory of `package`, which is one of ours."""
    folder = ROOT.joinpath(*package.split(".")[1:])
    if not folder.is_dir():
        return [package]
    files = (path.relative_to(folder).with_suffix("") for path in sorted(folder.rglob("*.py")))
    files = (file for file in files if file.parts[0] != "api")
    return [".".join([package, *file.parts]) for file in files if file.name[0] != "_"]


def no_torch_modules() -> list[str]:
    """Modules of the engine whose first paragraph ends with "No torch."."""
    found = modules_of("trainconsole.engine")
    texts = {name: ROOT.joinpath(*name.split(".")[1:]).with_suffix(".py").read_text() for name in found}
    return [name for name, text in texts.items() if "No torch." in text.split('"""')[1]]


def test_the_engine_knows_no_terminal(tmp_path):
    """It loads where these are not there; scikit-learn takes rich when it finds it."""
    modules = modules_of("trainconsole.engine")
    assert len(modules) > 130
    missing = "import sys; sys.modules.update(dict.fromkeys(['textual', 'rich', 'click', 'plotext']))"
    assert "torch" in loaded("\n".join([missing, *(f"import {module}" for module in modules)]), tmp_path)


def test_a_host_needs_torch_only_to_train(tmp_path):
    modules = ("tui.cli.headless", "engine.host.host", "engine.runs.launch")
    code = f"import {', '.join(f'trainconsole.{module}' for module in modules)}"
    assert not loaded(code, tmp_path) & {"torch", "torchvision", "sklearn", "textual"}


def test_names_of_ours_do_not_collide_with_a_users(tmp_path):
    """A user's engine.py in the current directory is the user's; ours is trainconsole.engine."""
    (tmp_path / "engine.py").write_text("mine = True\n")
    (tmp_path / "tui.py").write_text("mine = True\n")
    loaded("import sys; sys.path.insert(0, '')\nimport engine, tui; assert engine.mine and tui.mine\n"
           "import trainconsole.engine.config.run, trainconsole.tui.cli.main", tmp_path)  # fmt: skip
    code = "import trainconsole, trainconsole.integrations; assert callable(trainconsole.attach)"
    assert not loaded(code, tmp_path) & {"torch", "numpy", "msgspec", "lightning", "transformers"}


def test_a_run_imports_no_compiler(tmp_path):
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tests")!r})
from support.running import run
swaps = ["optimizer rmsprop", "optimizer sgd momentum=0.9"]
ran = run(Path({str(tmp_path)!r}), after={{3: swaps, 7: ["undo"]}})
assert ran.last["type"] == "finished" and not ran.rejected
assert "torch._dynamo" not in sys.modules
"""
    assert "triton" not in loaded(code, tmp_path)
