"""Scripts that are exact are told so; of those that are not it is told what moved, and why."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.verified_scripts import EXACT, FEWER, INEXACT, LOOPS
from support.zygote import Zygote

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.events import Finding, Finished
from trainconsole.engine.record.run_directory import read_events
from trainconsole.engine.runs import scripts, verdicts
from trainconsole.engine.verify import parent
from trainconsole.engine.verify.causes import Verdict

Said = Callable[[str], None]
OWN_PROCESS = ("words",)
"""Python draws the seed of its hashes when it starts."""


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    with Zygote(tmp_path_factory.mktemp("zygote")) as started:
        yield started


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "scale.txt").write_text("1")
    return tmp_path


def nobody(text: str) -> None:
    """Is not told."""


def verified(
    here: Path, python: str | Path, text: str, steps: int = 8, say: Said = nobody
) -> tuple[Path, Verdict]:
    file = here / "train.py"
    file.write_text(text, encoding="utf-8")
    script = scripts.described((str(python), "train.py"), here, file)
    found = parent.verify(script, runs=here / "runs", steps=steps, name="", command_line=(), say=say)
    assert verdicts.verdict(script) == found[1].short
    return found


@pytest.mark.parametrize("name", EXACT)
def test_a_script_that_is_exact_is_not_accused(zygote: Zygote, here: Path, name: str) -> None:
    run, found = verified(here, zygote.python, EXACT[name], steps=20)
    assert (found.told, parent.code(found)) == ("undo: exact, resume: exact", 0)
    finding, *_, finished = [event for event in read_events(run)[0] if isinstance(event, Finding | Finished)]
    assert isinstance(finding, Finding)
    assert finding.evidence == found.evidence
    assert isinstance(finished, Finished)
    assert finished.reason == "stopped"
    assert "its end" not in (run / "host.log").read_text()


@pytest.mark.parametrize("name", INEXACT)
def test_what_is_not_exact_is_named_with_its_reason(zygote: Zygote, here: Path, name: str) -> None:
    text, wanted, undo = INEXACT[name]

    def change_the_data(said: str) -> None:
        if name == "written" and "kill" in said:
            (here / "scale.txt").write_text("1.5")

    python = sys.executable if name in OWN_PROCESS else zygote.python
    _, found = verified(here, python, text, say=change_the_data)
    assert [part for part in wanted if part not in found.told] == [], found.told
    assert (found.undo.exact, parent.code(found)) == (undo, 3)


@pytest.mark.parametrize("name", LOOPS)
def test_loops_of_every_kind_are_measured(zygote: Zygote, here: Path, name: str) -> None:
    _, found = verified(here, zygote.python, LOOPS[name])
    assert found.told.startswith("undo: exact, resume: exact"), found.told
    assert ("all that the script makes" in found.told) == (name in FEWER)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("print('no training here')", "has not called trainconsole.attach; its last line:\nno training here"),
        (EXACT["plain"].replace("loss.backward()", "1 / 0"), "ZeroDivisionError"),
    ],
    ids=["no attach", "fails"],
)
def test_a_script_that_does_not_come_so_far(zygote: Zygote, here: Path, text: str, why: str) -> None:
    with pytest.raises(UserError, match=why.replace(".", r"\.").replace("\n", r"\s")):
        verified(here, zygote.python, text)


def test_a_script_with_too_few_updates_is_not_measured(zygote: Zygote, here: Path) -> None:
    text = EXACT["plain"].replace("(X, Y)", "(X[:5], Y[:5])").replace("s(4)", "s(3)")
    _, found = verified(here, zygote.python, text)
    assert "not measured" in found.told
    assert "more than 3 updates" in found.told


def test_a_script_may_ask_for_it_itself(zygote: Zygote, here: Path) -> None:
    text = EXACT["plain"].replace("optimizer=optimizer,", "optimizer=optimizer, verify=5,")
    file = here / "train.py"
    file.write_text(text, encoding="utf-8")
    argv = [sys.executable, "train.py"]
    ended = subprocess.run(argv, cwd=here, capture_output=True, text=True, timeout=280)
    assert (ended.returncode, ended.stdout) == (0, "undo: exact, resume: exact\n")
