"""Two processes that train one model: a command is carried out by both, at the same step."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from support.other_loops import Record
from support.process import environment

LIBRARIES = {"hugging_face": "transformers", "lightning": "lightning"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_the_first_process_is_told_the_others_do_too(library, tmp_path):
    pytest.importorskip(
        LIBRARIES[library], reason=f"{LIBRARIES[library]} is not installed: make integrations"
    )
    script = str(Path(__file__).with_name("several.py"))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [sys.executable, *launch, script, library, str(tmp_path)]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=240, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (msgspec.json.decode((tmp_path / f"{rank}.json").read_bytes()) for rank in (0, 1))
    assert first["used"] == second["used"]
    assert first["weights"] == second["weights"]
    assert [used["kind"] for used in first["used"]] == ["AdamW"] * 4 + ["SGD"] * 5
    record = Record(tmp_path / "runs")
    assert record.rows["step"].tolist() == list(range(1, 10))
    assert record.rows["lr"].tolist() == pytest.approx([used["lr"] for used in first["used"]])
    assert record.of("evaluated")[0]["step"] == 5
    assert record.of("finished")[0]["reason"] == "stopped"
    assert Path(record.of("finished")[0]["note"].split(" is ")[1]).exists()
