"""What is absurd is refused in words: in a config before anything is made, in a command by what there is."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from support.resuming import go_on, live, start
from support.running import config, run

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config import limits
from trainconsole.engine.runs.launch import with_usual_decay


@pytest.mark.parametrize(
    "given",
    [
        "epochs=1000000000000000",
        "regularisation.l1=1e29",
        "regularisation.weight_decay=1e29",
        "optimizer.eps=1e29",
        "schedule.name=cosine schedule.eta_min=1e29",
        "schedule.name=linear schedule.start_factor=1e29",
        "threads=1000000000",
    ],
)
def test_a_config_is_refused_and_leaves_no_directory(tmp_path: Path, given: str) -> None:
    *_, last = given.split()
    with pytest.raises(UserError, match=rf"^{last.partition('=')[0]}: ") as refused:
        run(tmp_path, "iris", *given.split())
    assert "is above" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_every_bound_is_of_a_key_that_there_is() -> None:
    with_all = [
        config("iris", "schedule.name=linear", "threads=1"),
        config("iris", "schedule.name=exponential"),
        config("iris", "schedule.name=cosine"),
        config("iris", "schedule.name=reduce_on_plateau"),
        config("iris", "data.name=own:load"),
    ]
    with_all = [with_usual_decay(one) for one in with_all]
    for key in limits.MOST:
        assert any(limits._value(one, key) is not None for one in with_all), key


def test_a_batch_that_is_all_of_the_data_is_fine(tmp_path: Path) -> None:
    assert run(tmp_path, "iris", "batch_size=96", "epochs=1").of("warning") == []


def test_a_config_for_more_data_than_there_is_trains_on_all_of_it_and_says_so(tmp_path: Path) -> None:
    ran = run(tmp_path, "iris", "batch_size=1000", "epochs=3")
    assert [event["why"] for event in ran.of("warning")] == [
        "batch_size 1000: the training part has 96 rows, and each batch is all of them"
    ]
    assert len(ran.rows) == 3


def test_a_config_far_above_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="batch_size: 1000000000 is far above the 96 training rows"):
        run(tmp_path, "iris", "batch_size=1000000000")


def test_steps_beyond_what_a_position_can_tell_apart() -> None:
    chosen = config("iris", "epochs=10000000", "batch_size=1")
    limits.check(chosen, 900_000_000)
    with pytest.raises(UserError, match="above 2"):
        limits.check(chosen, 901_000_000)


def test_a_command_answers_for_its_own_change_only() -> None:
    old = config("iris", "regularisation.l1=101", "batch_size=1000")
    limits.check_change(old, replace(old, epochs=7), 96)
    limits.check_change(old, replace(old, batch_size=96), 96)
    with pytest.raises(UserError, match="batch 97"):
        limits.check_change(old, replace(old, batch_size=97), 96)
    with pytest.raises(UserError, match="epochs"):
        limits.check_change(old, replace(old, epochs=10**9), 96)


def test_a_resume_that_asks_for_too_much_is_refused_and_the_run_goes_on(tmp_path: Path) -> None:
    killed = live(start(tmp_path, "iris"), after={3: ["checkpoint"]}, dies=4)
    ran = live(go_on(killed, "batch_size=1000000", "epochs=1000000000"))
    assert [event["command"] for event in ran.rejected] == ["batch 1000000", "epochs 1000000000"]
    assert ran.last["reason"] == "completed"
