import msgspec
import pytest
from support.piloting import pressed, seen
from support.statuses import status

from trainconsole.engine.protocol.events import Best
from trainconsole.tui.dialogs.stop import LeaveScreen, StopScreen

BEST = Best(epoch=3, step=300, metric="accuracy", value=0.98712)
SIZES = [(80, 24), (20, 5)]


@pytest.mark.parametrize(
    ("keys", "commands"),
    [
        (["b"], ("stop best",)),
        (["l"], ("stop last",)),
        (["escape"], ()),
        (["enter"], ("stop best",)),
        (["down", "enter"], ("stop last",)),
        (["down", "down", "enter"], ()),
        (["up", "enter"], ()),
    ],
    ids=str,
)
def test_stop(keys, commands):
    assert pressed(StopScreen(status(), BEST), keys) == [commands]


def test_stop_says_what_is_kept():
    text = seen(StopScreen(status(), BEST), size=(80, 24))
    assert "accuracy 0.9871, epoch 3, step 300" in text
    assert "epoch 6, step 500" in text
    assert "none is known yet" in seen(StopScreen(status()), size=(80, 24))


@pytest.mark.parametrize(
    ("keys", "how"),
    [
        (["d"], "detach"),
        (["s"], "stop"),
        (["escape"], ""),
        (["enter"], "detach"),
        (["down", "enter"], "stop"),
        (["up", "enter"], ""),
    ],
    ids=str,
)
def test_leave(keys, how):
    assert pressed(LeaveScreen(status()), keys) == [how]


@pytest.mark.parametrize("size", SIZES)
def test_they_can_be_driven_at_any_size(size):
    assert pressed(StopScreen(status(), BEST), ["down", "enter"], size) == [("stop last",)]
    assert pressed(LeaveScreen(status()), ["down", "enter"], size) == ["stop"]


def test_leave_says_how_to_come_back():
    left = msgspec.structs.replace(status(), time_left=61.0)
    assert "trainconsole attach" in seen(LeaveScreen(left), size=(80, 24))
    assert "01:01 to go" in seen(LeaveScreen(left), size=(80, 24))


@pytest.mark.parametrize("key", ["x", "space", "q"])
def test_no_other_key_decides(key):
    assert pressed(LeaveScreen(status()), [key]) == []
    assert pressed(StopScreen(status()), [key]) == []
