import pytest

from trainconsole.engine.protocol.status import InForce, Status
from trainconsole.tui.cli.progress import texts


def status(**changes: object) -> Status:
    values: dict[str, object] = {
        "stage": "training",
        "step": 246,
        "steps": 820,
        "epoch": 6,
        "epochs": 20,
        "steps_per_second": 79.4,
        "time_left": 8.0,
        "loss": 0.303,
        "metric": 0.906,
        "metric_name": "accuracy",
        "in_force": InForce(lr=0.00998),
    }
    return Status(pid=1, run="run", **{**values, **changes})  # type: ignore[arg-type]


def test_all_words_where_there_is_room() -> None:
    assert texts(status(), 110) == (
        "epoch 6/20  step 246/820",
        "79 steps/s  00:08 left  loss 0.303  accuracy 0.906  lr 9.98e-3",
    )


def test_everything_is_there_at_80_columns() -> None:
    assert texts(status(), 68) == (
        "epoch 6/20  step 246",
        "79/s  00:08  loss 0.303  acc 0.906  lr 9.98e-3",
    )


@pytest.mark.parametrize("room", [0, 5, 20, 40, 60, 68, 80, 100, 120])
@pytest.mark.parametrize("step", [0, 246, 1_234_567])
@pytest.mark.parametrize("stage", ["training", "evaluating", "paused"])
def test_never_longer_than_the_room(room: int, step: int, stage: str) -> None:
    now = status(step=step, steps=2_000_000, stage=stage, loss=123456.789, steps_per_second=98765.4)
    head, tail = texts(now, room)
    assert len(head) + len(tail) <= max(room, len(head))
    assert head.split()[-1].startswith(f"{step:,}")


def test_before_there_is_anything_to_show() -> None:
    head, tail = texts(
        status(loss=None, metric=None, in_force=InForce(), time_left=None, steps_per_second=0.0), 100
    )
    assert head == "epoch 6/20  step 246/820"
    assert tail == "0 steps/s  --:-- left"


def test_what_is_not_finite_is_shown() -> None:
    assert "loss nan" in texts(status(loss=float("nan")), 100)[1]
