"""A run whose patience has run out is over, at every beginning; what makes it go on is in the lineage."""

from pathlib import Path

import pytest
from support.resuming import go_on, live, start
from support.running import Ran, run_config

from trainconsole.engine.protocol.commands import Interrupt
from trainconsole.engine.runs import replay
from trainconsole.engine.runs.launch import Launch
from trainconsole.engine.runs.replay import compare, recipe

PATIENCE = "early_stopping.patience=2"


def begin(folder: Path, *assignments: str, at: tuple[str, ...] = ()) -> Launch:
    extra = ["optimizer.lr=0.05", "epochs=60", "checkpoint.epoch_seconds=0", *assignments]
    return start(folder, "classification", *extra, at=at)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return live(begin(tmp_path_factory.mktemp("whole"), PATIENCE))


def end_of(ran: Ran) -> tuple[str, int, str]:
    return ran.last["reason"], ran.last["step"], ran.last["weights_sha256"]


def replays(ran: Ran, folder: Path) -> None:
    """Identical, and after as many steps."""
    wanted = recipe(ran.path)
    again = run_config(folder, wanted.config)
    assert compare(ran.path, again.path, wanted) == (True, f"identical: sha256 {wanted.weights_sha256}")
    assert again.last["step"] == ran.last["step"]
    assert again.last["lineage"] == ran.last["lineage"]
    assert len(replay.curve(again.path, wanted.last_step)) == wanted.last_step


@pytest.mark.parametrize("before", [0, 1, 2, 17])
def test_killed_near_the_end_it_ends_where_it_would_have(
    undisturbed: Ran, tmp_path: Path, before: int
) -> None:
    """0: all is trained and saved, and only `finished` is missing."""
    last = undisturbed.last["step"]
    killed = live(begin(tmp_path, PATIENCE), dies=last - before)
    assert killed.last["type"] != "finished"
    assert end_of(live(go_on(killed))) == end_of(undisturbed)


def test_resumed_after_its_end_it_is_still_over(undisturbed: Ran, tmp_path: Path) -> None:
    ran = live(begin(tmp_path / "a", PATIENCE))
    for _ in range(2):
        ran = live(go_on(ran, "optimizer.lr=0.01"))
        assert end_of(ran) == end_of(undisturbed)
    replays(ran, tmp_path / "b")


@pytest.mark.parametrize(
    ("assignment", "command"),
    [("early_stopping.patience=5", "set patience 5"), ("epochs=70", "epochs 70")],
)
def test_raised_patience_or_epochs_make_it_go_on(
    undisturbed: Ran, tmp_path: Path, assignment: str, command: str
) -> None:
    last = undisturbed.last["step"]
    ran = live(go_on(live(begin(tmp_path / "a", PATIENCE)), assignment))
    assert ran.last["step"] > last
    assert ran.last["reason"] == "early_stopping"
    assert ran.last["lineage"] == [[last, command]]
    replays(ran, tmp_path / "b")


def test_patience_raised_too_little_or_epochs_lowered_leave_it_over(undisturbed: Ran, tmp_path: Path) -> None:
    ran = live(go_on(live(begin(tmp_path, PATIENCE)), PATIENCE, "epochs=50"))
    assert end_of(ran) == end_of(undisturbed)


def test_killed_after_it_was_made_to_go_on(tmp_path: Path) -> None:
    """The command is on the disk, and no checkpoint after it."""
    first = live(begin(tmp_path / "a", PATIENCE))
    last = first.last["step"]
    killed = live(go_on(first, "epochs=70"), dies=last + 1)
    assert [last, "epochs 70"] in [[event["step"], event["command"]] for event in killed.applied]
    ran = live(go_on(killed))
    assert ran.last["step"] > last
    assert ran.last["lineage"] == [[last, "epochs 70"]]
    replays(ran, tmp_path / "b")


def test_a_run_that_completed_as_patience_ran_out_goes_on_with_more_epochs(
    undisturbed: Ran, tmp_path: Path
) -> None:
    epochs = undisturbed.of("epoch")[-1]["epoch"]
    first = live(begin(tmp_path / "a", PATIENCE, f"epochs={epochs}"))
    assert first.last["reason"] == "completed"
    ran = live(go_on(first, "epochs=70"))
    assert ran.last["step"] > undisturbed.last["step"]
    replays(ran, tmp_path / "b")


def test_a_command_at_the_last_boundary_prolongs_the_run(undisturbed: Ran, tmp_path: Path) -> None:
    epoch = undisturbed.of("epoch")[-1]["epoch"] + 1
    ran = live(begin(tmp_path / "a", PATIENCE, at=(f"epoch {epoch}: set patience 9",)))
    assert ran.last["step"] > undisturbed.last["step"]
    replays(ran, tmp_path / "b")


def test_interrupted_where_it_would_end(undisturbed: Ran, tmp_path: Path) -> None:
    last = undisturbed.last["step"]
    ran = live(begin(tmp_path, PATIENCE), after={last: [Interrupt(signal="SIGTERM")]})
    assert (ran.last["type"], ran.last["step"]) == ("interrupted", last)
    assert end_of(live(go_on(ran))) == end_of(undisturbed)
