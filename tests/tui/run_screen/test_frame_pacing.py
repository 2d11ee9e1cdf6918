"""The rate of drawing, from a clock and processor times that are handed in."""

import pytest

from trainconsole.tui.run_screen.frame_pacing import FASTEST, SLOWEST, Governor


def settled(governor: Governor, cost: float, seconds: float) -> float:
    """The interval after frames of `cost` seconds of processor time each."""
    clock = spent = 0.0
    while clock < seconds:
        clock += governor.frame(clock, spent)
        spent += cost
    return governor.interval


def test_cheap_frames_come_at_the_full_rate() -> None:
    assert settled(Governor(), cost=0.002, seconds=60) == FASTEST


@pytest.mark.parametrize("cost", [0.015, 0.03, 0.05])
def test_dear_frames_come_as_often_as_the_share_allows(cost: float) -> None:
    interval = settled(Governor(), cost, seconds=120)
    assert cost / interval == pytest.approx(0.03, rel=0.4)


def test_there_is_a_slowest_rate() -> None:
    assert settled(Governor(), cost=1.0, seconds=60) == SLOWEST


def test_it_recovers() -> None:
    governor = Governor()
    settled(governor, cost=0.05, seconds=60)
    clock, spent = 1000.0, 100.0
    for _ in range(60):
        clock += governor.frame(clock, spent)
        spent += 0.001
    assert governor.interval == FASTEST
