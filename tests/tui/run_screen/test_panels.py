"""The text around the curves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.text import Text
from support import run_models as sights

from trainconsole.engine.config.knobs import KNOBS
from trainconsole.engine.protocol.status import InForce, Status
from trainconsole.tui.keys import KEYS
from trainconsole.tui.run_screen import footer, header, side_panel, timeline
from trainconsole.tui.text import cells
from trainconsole.tui.text.timeline import Entry

MID = sights.status(900)
STARTING = Status(pid=1, run="r")


def plain(lines: list[Text]) -> list[str]:
    return [line.plain for line in lines]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (120, ("epoch 5/10", "━", "45%", "step 900", "512 steps/s", "00:02 left", "cpu, 2 threads")),
        (80, ("epoch 5/10", "45%", "step 900", "512 steps/s", "00:02 left")),
        (60, ("epoch 5/10", "step 900", "00:02 left")),
        (40, ("epoch 5/10",)),
    ],
)
def test_the_header_keeps_what_matters_most(width: int, expected: tuple[str, ...]) -> None:
    text = header.header("digits", "training", MID, "cpu, 2 threads", width).plain
    assert len(text) <= width
    assert text.startswith(" digits  ● training")
    positions = [text.index(part) for part in expected]
    assert positions == sorted(positions)


def test_a_header_before_there_is_anything_says_the_stage() -> None:
    assert header.header("digits", "loading torch", STARTING, "", 80).plain == " digits  ● loading torch"


def test_a_preset_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in header.header("a\x1b[2J", "training", MID, "", 80).plain


def test_what_is_in_force() -> None:
    values = {
        "optimizer": "sgd",
        "betas": None,
        "momentum": 0.9,
        "nesterov": True,
        "schedule": "step gamma=0.5",
        "clip.norm": None,
        "clip.value": 0.5,
        "patience": None,
        "l1": 1e-5,
    }
    now = InForce.of(MID.in_force.values() | values, KNOBS)
    shown = plain(side_panel.in_force(replace(MID, in_force=now), 60))
    assert shown[0] == "optimizer sgd  momentum 0.9  nesterov true"
    assert "schedule  step  gamma=0.5" in shown
    assert "clip      value 0.5" in shown
    assert "decay     0.0001  l1 1e-05" in shown
    assert "patience  off" in shown
    assert "patience  3 of 5 epochs left" in plain(side_panel.in_force(MID, 40))
    assert plain(side_panel.in_force(STARTING, 40)) == ["after the model is built"]
    undo = "not exact: batches differ at step 4"
    assert plain(side_panel.in_force(MID, 60, undo))[-1] == "undo      not exact  batches differ at step 4"
    assert len(side_panel.in_force(MID, 40, undo)) == len(side_panel.in_force(MID, 40))


def test_the_rate_is_that_of_the_next_step() -> None:
    """in_force is pushed now and then, the plan says it at any step."""
    shown = plain(side_panel.in_force(replace(MID, step=0, epochs_done=0.0), 40))
    assert "rate      1e-3" in shown
    assert "rate      0" in plain(side_panel.in_force(replace(MID, step=2000, epochs_done=10.0), 40))


def test_so_far() -> None:
    story = sights.made(900).story
    shown = plain(side_panel.so_far(story, MID, "accuracy", 40))
    assert shown == [
        "best      0.8379 ★  epoch 3",
        "train     0.1432  0.9688",
        "val       0.3237  0.8985  epoch 4",
    ]
    assert plain(side_panel.so_far(sights.loading().story, STARTING, "accuracy", 40))[0] == "best      -"


@given(st.integers(8, 60), st.integers(0, 30), st.text(), st.text())
def test_a_timeline_stays_in_its_room(width: int, height: int, text: str, detail: str) -> None:
    entries = [Entry("applied", text, detail, step=1234), Entry("epoch", "epoch 3  val 0.9", step=5)]
    lines = timeline.timeline(entries, width, height)
    assert len(lines) <= height


@given(st.text("ab ", max_size=60), st.integers(1, 20))
def test_wrapping_loses_nothing(text: str, room: int) -> None:
    lines = cells.wrapped(text, room)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(len(line) <= room for line in lines)


@pytest.mark.parametrize(("width", "height"), [(200, 2), (120, 2), (80, 2), (80, 1), (40, 2), (20, 1)])
def test_a_footer_has_the_first_ranks_that_fit(width: int, height: int) -> None:
    lines = plain(footer.footer(width, height, paused=False))
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    shown = [key for key in KEYS if key.rank and f"{key.shown} {key.brief}" in "\n".join(lines)]
    assert shown
    assert {key.rank for key in shown} == set(range(1, len(shown) + 1))


def test_the_footer_says_what_space_does_now() -> None:
    assert "space resume" in plain(footer.footer(120, 2, paused=True))[0]
    assert "space pause" in plain(footer.footer(120, 2, paused=False))[0]


def test_a_narrow_terminal_has_it_in_three_lines() -> None:
    sight = sights.made(900)
    shown = plain(side_panel.brief(sight.newest(3), sight.story, MID, 80, 3))
    assert shown[0].split() == ["adamw", "rate", "5.78e-4", "cosine", "batch", "64", "decay", "0.0001",
                                "patience", "3/5"]  # fmt: skip
    assert shown[1].startswith(" train 0.1432 0.9688  val 0.3237 0.8985  best 0.8379 at epoch 3")
    assert "epoch 4" in shown[2]


def test_a_run_that_is_over_takes_no_command() -> None:
    text = "\n".join(plain(footer.footer(120, 2, paused=False, over=True)))
    assert "z enlarge" in text
    assert "q quit" in text
    assert "optimizer" not in text
