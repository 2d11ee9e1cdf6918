import pytest

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import RunConfig, Scripted
from trainconsole.engine.protocol.script import Script, check, check_steps, last_epoch, parse_at, parse_when


def config(*commands: tuple[str, str], epochs: int = 5) -> RunConfig:
    return RunConfig(
        epochs=epochs, batch_size=10, commands=tuple(Scripted(when=a, what=b) for a, b in commands)
    )


def test_at_takes_when_and_what() -> None:
    assert parse_at("epoch 6: optimizer sgd  lr=0.01") == Scripted(
        when="epoch 6", what="optimizer sgd lr=0.01"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("epoch 6", "expected 'WHEN: WHAT'"),
        ("epoch 6:", "expected 'WHEN: WHAT'"),
        (": lr 0.1", "is no time"),
        ("epoch: lr 0.1", "is no time"),
        ("epoch 0: lr 0.1", "epochs count from 1"),
        ("epoch -1: lr 0.1", "is no time"),
        ("hour 3: lr 0.1", "is no time"),
        ("step x: lr 0.1", "is no time"),
        ("epoch 3: dance", "unknown command 'dance'"),
    ],
)
def test_at_nonsense_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_at(text)
    assert reason in str(refused.value)


def test_beyond_the_end_is_refused() -> None:
    check(config(("epoch 5", "lr 0.1")), "x")
    with pytest.raises(UserError, match="beyond the end of the run, which has 5 epochs"):
        check(config(("epoch 6", "lr 0.1")), "x")
    check_steps(config(("step 50", "lr 0.1")), epoch_size=100)
    with pytest.raises(UserError, match="which has 50 steps"):
        check_steps(config(("step 51", "lr 0.1")), epoch_size=100)


def test_the_end_counts_scripted_epochs() -> None:
    longer = config(("epoch 5", "epochs 10"), ("epoch 9", "lr 0.1"))
    check(longer, "x")
    assert last_epoch(longer) == 10
    check_steps(config(("step 1", "epochs 10"), ("step 100", "pause")), epoch_size=100)


def test_each_fires_once_in_the_order_given() -> None:
    script = Script(config(("step 3", "lr 0.1"), ("epoch 2", "pause"), ("step 3", "lr 0.2")).commands)
    assert script.due(2, 1, starts_epoch=False) == []
    assert script.due(3, 1, starts_epoch=False) == [("script-1", "lr 0.1"), ("script-3", "lr 0.2")]
    assert script.due(3, 1, starts_epoch=False) == []
    assert script.due(10, 2, starts_epoch=True) == [("script-2", "pause")]
    assert script.due(10**6, 10**6, starts_epoch=True) == []


def test_an_epoch_command_waits_for_the_first_update_of_its_epoch() -> None:
    script = Script(config(("epoch 2", "pause")).commands)
    assert script.due(5, 2, starts_epoch=False) == []
    assert script.due(9, 3, starts_epoch=True) == [("script-1", "pause")]


def test_when_is_epoch_or_step() -> None:
    assert str(parse_when(" epoch   3 ")) == "epoch 3"
