from pathlib import Path

import pytest
from msgspec.structs import replace
from runfiles import BEST, EPOCH, FAILED, FINISHED, INTERRUPTED, SAVED, written

from trainconsole.engine.errors import UserError
from trainconsole.tui import outcome
from trainconsole.tui.outcome import TAIL, Outcome


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def test_a_finished_run(runs: Path) -> None:
    run = written(runs, EPOCH, SAVED, FINISHED, log="noise\n", checkpoints=("last", "best"))
    found = outcome.read(run)
    assert (found.event, found.log, found.saved) == (
        replace(FINISHED, seq=2, time=found.event.time),
        (),
        "checkpoints/best.pt",
    )  # type: ignore[union-attr]
    assert outcome.title(found) == "finished"
    assert outcome.headline(found) == "Completed: every epoch is done, at step 1,200."
    assert dict(outcome.facts(found)) == {
        "test": "loss 0.0312  accuracy 0.9871  balanced 0.9800",
        "best": "accuracy 0.9871 at epoch 3",
        "weights": "sha256 abababababab  (those of the best epoch)",
        "run": f"runs/{run.name}",
        "saved": "checkpoints/best.pt",
    }
    assert [line for line, _ in outcome.onwards(found)] == [
        f"trainconsole replay {run.name} --no-ui",
        f"trainconsole evaluate {run.name}",
        f"trainconsole export {run.name} --csv curves.csv",
    ]


@pytest.mark.parametrize(("reason", "words"), [("stopped", "as you asked"), ("early_stopping", "got better")])
def test_why_it_ended(runs: Path, reason: str, words: str) -> None:
    found = outcome.read(written(runs, replace(FINISHED, reason=reason, best=None, test=None)))
    assert words in outcome.headline(found)
    assert {"test", "best", "saved"}.isdisjoint(dict(outcome.facts(found)))


def test_weights_of_the_last_step(runs: Path) -> None:
    later = replace(SAVED, step=1200, weights_sha256="cd" * 32)
    found = outcome.read(written(runs, SAVED, later, replace(FINISHED, weights_sha256="cd" * 32)))
    assert found.kept == "those of the last step"


def test_an_interrupted_run(runs: Path) -> None:
    run = written(runs, EPOCH, INTERRUPTED, log="noise\n")
    found = outcome.read(run)
    assert (outcome.title(found), found.log) == ("interrupted", ())
    assert outcome.headline(found).startswith("Interrupted by SIGTERM at step 77.")
    assert dict(outcome.facts(found))["saved"] == "checkpoints/last.pt"
    assert outcome.onwards(found) == ((f"trainconsole resume {run.name}", "go on with it"),)


def test_a_failed_run(runs: Path) -> None:
    run = written(runs, FAILED, log="a\nb\n")
    found = outcome.read(run)
    assert outcome.title(found) == "failed"
    assert found.log == ("a", "b")
    assert outcome.facts(found)[:3] == (
        ("reason", "the loss is not finite"),
        ("", "in layer fc1"),
        ("more in", f"runs/{run.name}/host.log"),
    )


def test_a_dead_host(runs: Path) -> None:
    """One that said something after an end, as a resumed run does, is dead too."""
    found = outcome.read(written(runs, INTERRUPTED, EPOCH, log="killed\n", checkpoints=("best", "last")))
    assert found.event is None
    assert outcome.title(found) == "the host is gone"
    assert (found.log, found.saved) == (("killed",), "checkpoints/last.pt")


def test_a_run_that_said_nothing(runs: Path) -> None:
    found = outcome.read(written(runs))
    assert (found.event, found.log, found.saved) == (None, (), "")


def test_damaged_events_are_refused(runs: Path) -> None:
    run = written(runs, EPOCH)
    (run / "events.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match=r"events\.jsonl"):
        outcome.read(run)


def test_the_end_of_a_log_is_short_and_harmless(tmp_path: Path) -> None:
    log = tmp_path / "host.log"
    log.write_bytes(
        b"x" * 100_000 + b"\n\n" + b"".join(b"line %d\n" % i for i in range(30)) + b"\x1b[2J\xff\n"
    )
    found = outcome.tail(log)
    assert len(found) == TAIL
    assert found[-2:] == ("line 29", "\ufffd[2J\ufffd")


def test_no_log() -> None:
    assert outcome.tail(Path("nowhere")) == ()


def test_strings_of_a_run_are_harmless(runs: Path) -> None:
    found = Outcome(runs / "a\x1b[2J", replace(FAILED, reason="\x1b[2J", where="\x07"))
    said = [*outcome.facts(found), *outcome.onwards(found), (outcome.headline(found), "")]
    assert all(text.isprintable() for pair in said for text in pair)


@pytest.mark.parametrize(
    ("path", "name"),
    [("runs/a", "a"), ("other/a", "other/a"), ("/elsewhere/a", "/elsewhere/a"), ("runs/a b", "'a b'")],
)
def test_a_run_is_named_as_a_shell_here_takes_it(runs: Path, path: str, name: str) -> None:
    assert outcome.named(runs.parent / path) == name


def test_the_best_of_a_finished_run_is_that_of_its_end() -> None:
    found = Outcome(Path("/r/a"), replace(FINISHED, best=replace(BEST, epoch=9)))
    assert dict(outcome.facts(found))["best"] == "accuracy 0.9871 at epoch 9"
