from pathlib import Path

import pytest
from msgspec.structs import replace
from support.run_files import BEST, EPOCH, FAILED, FINISHED, INTERRUPTED, SAVED, written

from trainconsole.engine.common.errors import UserError
from trainconsole.tui.text import run_outcome
from trainconsole.tui.text.final_report import summary
from trainconsole.tui.text.run_outcome import TAIL, Outcome


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def test_a_finished_run(runs: Path) -> None:
    run = written(runs, EPOCH, SAVED, FINISHED, log="noise\n", checkpoints=("last", "best"))
    found = run_outcome.read(run)
    assert (found.event, found.log, found.saved) == (
        replace(FINISHED, seq=2, time=found.event.time),
        (),
        "checkpoints/best.pt",
    )  # type: ignore[union-attr]
    assert run_outcome.title(found) == "finished"
    assert run_outcome.headline(found) == "Completed: every epoch is done, at step 1,200."
    assert dict(run_outcome.facts(found)) == {
        "test": "loss 0.0312  accuracy 0.9871  balanced 0.9800",
        "best": "accuracy 0.9871 at epoch 3",
        "weights": "sha256 abababababab  (those of the best epoch)",
        "run": f"runs/{run.name}",
        "saved": "checkpoints/best.pt",
    }
    assert [line for line, _ in run_outcome.onwards(found)] == [
        f"trainconsole replay {run.name} --no-ui",
        f"trainconsole evaluate {run.name}",
        f"trainconsole export {run.name} --csv curves.csv",
    ]


@pytest.mark.parametrize(("reason", "words"), [("stopped", "as you asked"), ("early_stopping", "got better")])
def test_why_it_ended(runs: Path, reason: str, words: str) -> None:
    found = run_outcome.read(written(runs, replace(FINISHED, reason=reason, best=None, test=None)))
    assert words in run_outcome.headline(found)
    assert {"test", "best", "saved"}.isdisjoint(dict(run_outcome.facts(found)))


def test_weights_of_the_last_step(runs: Path) -> None:
    later = replace(SAVED, step=1200, weights_sha256="cd" * 32)
    found = run_outcome.read(written(runs, SAVED, later, replace(FINISHED, weights_sha256="cd" * 32)))
    assert found.kept == "last"


@pytest.mark.parametrize(("weights", "saved"), [("best", "best"), ("last", "last"), ("", "best")])
def test_what_is_saved_is_what_the_run_ends_with(runs: Path, weights: str, saved: str) -> None:
    run = written(runs, SAVED, replace(FINISHED, weights=weights), checkpoints=("last", "best"))
    found = run_outcome.read(run)
    assert (found.kept, found.saved) == (saved, f"checkpoints/{saved}.pt")


def test_each_figure_says_whose_weights_it_is_of(runs: Path) -> None:
    both = replace(FINISHED, weights="last", test={"loss": 0.5}, test_best={"loss": 0.25})
    told = [
        ("test", "loss 0.5000  of the last weights"),
        ("", "loss 0.2500  of the best weights, epoch 3"),
    ]
    assert list(run_outcome.facts(Outcome(Path("/r/a"), both))[:2]) == told
    lines = list(summary(Path("/r/a"), both, 100))
    assert lines[2:4] == [
        "test      loss 0.5000  of the last weights",
        "          loss 0.2500  of the best weights, epoch 3",
    ]
    same = replace(both, test_best=None, step=BEST.step)
    assert "of the last weights, which are the best" in "\n".join(summary(Path("/r/a"), same, 100))


def test_an_interrupted_run(runs: Path) -> None:
    run = written(runs, EPOCH, INTERRUPTED, log="noise\n")
    found = run_outcome.read(run)
    assert (run_outcome.title(found), found.log) == ("interrupted", ())
    assert run_outcome.headline(found).startswith("Interrupted by SIGTERM at step 77.")
    assert dict(run_outcome.facts(found))["saved"] == "checkpoints/last.pt"
    assert run_outcome.onwards(found) == ((f"trainconsole resume {run.name}", "go on with it"),)


def test_a_failed_run(runs: Path) -> None:
    run = written(runs, FAILED, log="a\nb\n")
    found = run_outcome.read(run)
    assert run_outcome.title(found) == "failed"
    assert found.log == ("a", "b")
    assert run_outcome.facts(found)[:3] == (
        ("reason", "the loss is not finite"),
        ("", "in layer fc1"),
        ("more in", f"runs/{run.name}/host.log"),
    )


def test_a_dead_host(runs: Path) -> None:
    """One that said something after an end, as a resumed run does, is dead too."""
    found = run_outcome.read(written(runs, INTERRUPTED, EPOCH, log="killed\n", checkpoints=("best", "last")))
    assert found.event is None
    assert run_outcome.title(found) == "the host is gone"
    assert (found.log, found.saved) == (("killed",), "checkpoints/last.pt")


def test_a_run_that_said_nothing(runs: Path) -> None:
    found = run_outcome.read(written(runs))
    assert (found.event, found.log, found.saved) == (None, (), "")


def test_what_is_no_record_is_refused(runs: Path) -> None:
    run = written(runs, EPOCH)
    (run / "events.jsonl").unlink()
    (run / "events.jsonl").mkdir()
    with pytest.raises(UserError, match=r"events\.jsonl"):
        run_outcome.read(run)


def test_the_end_of_a_log_is_short_and_harmless(tmp_path: Path) -> None:
    log = tmp_path / "host.log"
    log.write_bytes(
        b"x" * 100_000 + b"\n\n" + b"".join(b"line %d\n" % i for i in range(30)) + b"\x1b[2J\xff\n"
    )
    found = run_outcome.tail(log)
    assert len(found) == TAIL
    assert found[-2:] == ("line 29", "\ufffd[2J\ufffd")


def test_no_log() -> None:
    assert run_outcome.tail(Path("nowhere")) == ()


def test_strings_of_a_run_are_harmless(runs: Path) -> None:
    found = Outcome(runs / "a\x1b[2J", replace(FAILED, reason="\x1b[2J", where="\x07"))
    said = [*run_outcome.facts(found), *run_outcome.onwards(found), (run_outcome.headline(found), "")]
    assert all(text.isprintable() for pair in said for text in pair)


@pytest.mark.parametrize(
    ("path", "name"),
    [("runs/a", "a"), ("other/a", "other/a"), ("/elsewhere/a", "/elsewhere/a"), ("runs/a b", "'a b'")],
)
def test_a_run_is_named_as_a_shell_here_takes_it(runs: Path, path: str, name: str) -> None:
    assert run_outcome.named(runs.parent / path) == name


def test_the_best_of_a_finished_run_is_that_of_its_end() -> None:
    found = Outcome(Path("/r/a"), replace(FINISHED, best=replace(BEST, epoch=9)))
    assert dict(run_outcome.facts(found))["best"] == "accuracy 0.9871 at epoch 9"
