from pathlib import Path

import pytest
from support.run_files import FAILED, FINISHED, INTERRUPTED
from support.staging import OPEN, lines, presses, stage
from textual.pilot import Pilot

from trainconsole.tui.dialogs.finished import FinishedScreen, told
from trainconsole.tui.text.run_outcome import End, Outcome

RUN = Path("/runs/2026-01-02_10-00-00_iris")
LOG = (*(f"line {i} of what was printed" for i in range(9)), "RuntimeError: " + "very " * 30 + "bad")


def outcome(end: End | None) -> Outcome:
    return Outcome(RUN, end, () if end is FINISHED else LOG, saved="checkpoints/best.pt")


@pytest.mark.parametrize("end", [FINISHED, None])
@pytest.mark.parametrize(
    ("key", "result"),
    [("enter", ""), ("escape", ""), ("space", ""), ("q", "quit"), ("ctrl+c", "quit"), ("x", OPEN)],
)
def test_keys(end: End | None, key: str, result: object) -> None:
    assert stage(FinishedScreen(outcome(end)), presses(key)) == result


@pytest.mark.parametrize(
    ("end", "result"), [(FINISHED, OPEN), (INTERRUPTED, "resume"), (FAILED, "resume"), (None, "resume")]
)
def test_resume_is_for_what_was_cut_off(end: End | None, result: object) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        assert ("r resume" in "\n".join(lines(pilot.app))) == (result == "resume")
        await pilot.press("r")

    assert stage(FinishedScreen(outcome(end)), steps) == result


def test_help_is_over_it() -> None:
    pytest.importorskip("trainconsole.tui.dialogs.help", reason="the help screen is not there")

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        assert type(pilot.app.screen).__name__ == "HelpScreen"
        await pilot.press("escape", "q")

    assert stage(FinishedScreen(outcome(FINISHED)), steps) == "quit"


def test_the_matrix_is_beside_the_words_where_there_is_room() -> None:
    wide, narrow = (told(outcome(FINISHED), width).plain.splitlines() for width in (113, 73))
    assert "Completed" in wide[0]
    assert "confusion" in wide[0]
    assert "confusion" not in narrow[0]
    assert len(narrow) > len(wide)
    assert max(map(len, wide)) <= 113
    assert max(map(len, narrow)) <= 73


def test_all_of_it_can_be_read_at_80x24() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        first = "\n".join(lines(pilot.app))
        assert "Completed: every epoch is done" in first
        assert "accuracy 0.9871 at epoch 3" in first
        assert "virginica" in first
        await pilot.press("pagedown")
        await pilot.pause()
        assert "--csv curves.csv" in "\n".join(lines(pilot.app))

    stage(FinishedScreen(outcome(FINISHED)), steps)


def test_the_end_of_the_log_is_whole() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("end")
        await pilot.pause()
        text = "\n".join(lines(pilot.app))
        assert "very bad" in text
        assert "RuntimeError" in text
        assert "trainconsole resume" in text

    stage(FinishedScreen(outcome(None)), steps)


@pytest.mark.parametrize("end", [FINISHED, INTERRUPTED, FAILED, None])
def test_every_size(end: End | None) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        for width, height in ((20, 5), (1, 1), (80, 24), (200, 60), (40, 11)):
            await pilot.resize_terminal(width, height)
            await pilot.press("pagedown", "home")
            assert (len(lines(pilot.app)), len(lines(pilot.app)[0])) == (height, width)
        await pilot.press("q")

    assert stage(FinishedScreen(outcome(end)), steps) == "quit"
