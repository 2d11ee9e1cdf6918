"""What is imported when; what is said where a library is not there."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.process import environment

EXAMPLES = Path(__file__).parents[2] / "examples"
ADAPTERS = {"HuggingFace": "transformers", "Lightning": "lightning"}


def ran(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, cwd=cwd, timeout=120)


def test_nothing_is_imported_before_an_adapter_is_asked_for(tmp_path):
    code = (
        "import sys, trainconsole, trainconsole.integrations; trainconsole.integrations\n"
        "print(sorted({'torch', 'transformers', 'lightning', 'numpy'} & {*sys.modules}))"
    )
    assert ran(code, tmp_path).stdout == "[]\n"


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_library_that_is_not_there_is_named_with_its_extra(adapter, tmp_path):
    """Also in an environment that has it: it is hidden."""
    code = f"""
import importlib.util, trainconsole
find = importlib.util.find_spec
hidden = ("transformers", "lightning", "pytorch_lightning")
importlib.util.find_spec = lambda name, *rest: None if name in hidden else find(name, *rest)
trainconsole.integrations.{adapter}()
"""
    said = ran(code, tmp_path).stderr.splitlines()[-2:]
    assert said[0].endswith(f"{ADAPTERS[adapter]} is not installed in this environment")
    assert said[1] == f"pip install 'trainconsole[{ADAPTERS[adapter]}]'"


@pytest.mark.parametrize(
    ("example", "library"), [("accelerate_loop", "accelerate"), ("skorch_net", "skorch")]
)
def test_an_example_that_needs_no_adapter(example, library, tmp_path):
    pytest.importorskip(library, reason=f"{library} is not installed: make integrations")
    command = [sys.executable, str(EXAMPLES / f"{example}.py"), "--epochs", "1"]
    options = {"capture_output": True, "text": True, "cwd": tmp_path}
    done = subprocess.run(command, env={**environment(), "OMP_NUM_THREADS": "1"}, timeout=120, **options)
    assert done.returncode == 0, done.stderr
    events = (next((tmp_path / "runs").iterdir()) / "events.jsonl").read_text()
    assert '"type":"finished"' in events.splitlines()[-1]
    assert '"reason":"completed"' in events
