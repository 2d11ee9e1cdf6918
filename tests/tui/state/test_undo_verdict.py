"""The console knows what was measured of a script's undo; of a preset's run it says nothing."""

from pathlib import Path

from trainconsole.engine.config.run import RunConfig, Script
from trainconsole.engine.record.run_directory import write_config
from trainconsole.engine.runs import verdicts
from trainconsole.tui.state.run_model import Sight

SCRIPT = Script(command=("python", "train.py"), cwd="/x", file="/x/train.py", sha256="1")


def test_of_a_script_it_says_what_was_measured_or_how(tmp_path: Path) -> None:
    write_config(tmp_path, RunConfig(script=SCRIPT))
    assert Sight(tmp_path).undo == "not measured: trainconsole verify -- python train.py"
    verdicts.remember(SCRIPT, "not exact: batches differ at step 4")
    assert Sight(tmp_path).undo == "not exact: batches differ at step 4"


def test_of_a_preset_it_says_nothing(tmp_path: Path) -> None:
    assert Sight(tmp_path / "not there").undo == ""
    write_config(tmp_path, RunConfig())
    assert Sight(tmp_path).undo == ""
