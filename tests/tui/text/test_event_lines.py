import msgspec
import pytest

from trainconsole.engine.protocol.events import (
    Best,
    CommandApplied,
    CommandRejected,
    EpochEnded,
    Layer,
    Started,
)
from trainconsole.tui.text.event_lines import lines, six


def epoch(number: int = 6, step: int = 246, best: str = "accuracy", **val: float) -> EpochEnded:
    return EpochEnded(
        step=step,
        branch=0,
        epoch=number,
        train={"loss": 0.1991, "accuracy": 0.9436},
        val=val or {"loss": 0.2717, "accuracy": 0.9306, "balanced_accuracy": 0.9295},
        lr=6.98e-3,
        steps_per_second=80.0,
        best=Best(epoch=6, step=246, metric=best, value=0.9306),
    )


def applied(command: str, before: dict[str, object], after: dict[str, object], note: str = "") -> str:
    event = CommandApplied(
        step=205, branch=0, command=command, id="a", origin="script", before=before, after=after, note=note
    )
    return "\n".join(lines(event))


def test_a_line_of_an_epoch() -> None:
    assert list(lines(epoch())) == [
        "epoch   6  step    246  loss 0.1991  accuracy 0.9436  val loss 0.2717  accuracy 0.9306  lr 6.98e-3 *"
    ]


def test_validation_shows_the_metric_that_decides() -> None:
    (line,) = lines(epoch(best="balanced_accuracy"))
    assert "val loss 0.2717  balanced 0.9295" in line
    (line,) = lines(epoch(best="loss"))
    assert "val loss 0.2717  accuracy 0.9306" in line
    (line,) = lines(epoch(best="balanced_accuracy"), 80)
    assert "balanced 0.9295" in line


@pytest.mark.parametrize("width", [62, 72, 80, 100, 120])
def test_epochs_fit_and_stand_in_columns(width: int) -> None:
    events = [epoch(), epoch(10, 410, loss=1e-5, accuracy=1.0), epoch(100, 123_456, loss=123.4, accuracy=0.0)]
    found = [line for event in events for line in lines(event, width)]
    assert max(len(line) for line in found) <= width
    assert len({line.index("val") for line in found}) == 1
    assert len({line.index("accuracy") for line in found}) == 1


def test_no_validation_and_no_best() -> None:
    event = EpochEnded(step=3, branch=0, epoch=1, train={}, val=None, lr=0.1, steps_per_second=0.0, best=None)
    assert list(lines(event)) == ["epoch   1  step      3  lr 1e-1"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.03124, "0.0312"),
        (1.0, "1.0000"),
        (0.0, "0.0000"),
        (45.1234, "45.123"),
        (12_345.6, "12346"),
        (1.23e-5, "1.2e-5"),
        (4.5e9, "4.5e9"),
        (-0.25, "-0.2500"),
        (None, "nan"),
        (float("inf"), "inf"),
    ],
)
def test_six_characters(value: float | None, text: str) -> None:
    assert six(value) == text


ADAMW = {"optimizer": "adamw", "weight_decay": 0.0, "lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}
SGD = {"optimizer": "sgd", "weight_decay": 0.0, "lr": 0.01, "dampening": 0.0, "nesterov": False}


def test_a_swap_says_what_changed_and_no_defaults() -> None:
    text = applied("optimizer sgd lr=0.01", ADAMW, SGD | {"momentum": 0.0}, "fresh state")
    assert text == (
        "step 205  optimizer sgd lr=0.01  (optimizer adamw -> sgd, lr 0.001 -> 0.01; fresh state)"
    )
    assert "momentum 0.9" in applied("optimizer sgd momentum=0.9", ADAMW, SGD | {"momentum": 0.9})
    assert applied("optimizer adamw", SGD, ADAMW).endswith("(optimizer sgd -> adamw, lr 0.01 -> 0.001)")


def test_betas_read_from_a_file_are_the_defaults_too() -> None:
    assert "betas" not in applied("optimizer adamw", SGD, ADAMW | {"betas": [0.9, 0.999]})
    assert "betas" in applied("optimizer adamw", SGD, ADAMW | {"betas": [0.8, 0.999]})


def test_ones_own_optimizer_shows_all_that_is_new() -> None:
    after = {"optimizer": "my_nets:Lion", "lr": 1e-3, "beta": 0.9}
    assert "beta 0.9" in applied("optimizer my_nets:Lion", SGD, after)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_long_lines_are_wrapped_and_indented(width: int) -> None:
    reason = "augmentation is for images, and this data has none; " * 4
    event = CommandRejected(step=1, branch=0, command="set augment 1", id="a", origin="x", reason=reason)
    found = list(lines(event, width))
    assert len(found) > 1
    assert all(len(line) <= width for line in found)
    assert all(line.startswith("    ") for line in found[1:])


def started(layers: int) -> Started:
    table = tuple(
        Layer(name=f"l{i}", kind="Linear" if i % 2 else "ReLU", shape=(8, 8), parameters=1000 * (i % 2))
        for i in range(layers)
    )
    return Started(
        step=0,
        branch=0,
        run="run\x1b[2J",
        preset="digits",
        seed=0,
        device="cpu",
        threads=1,
        parameters=1234,
        sizes={"train": 1293, "val": 144},
        layers=table,
    )


def test_the_start() -> None:
    found = list(lines(started(2)))
    assert found[0] == "run\ufffd[2J: cpu, 1 thread, seed 0"
    assert found[1] == "data   train 1,293  val 144"
    assert [line.split() for line in found[2:4]] == [
        ["l0", "ReLU", "8x8", "."],
        ["l1", "Linear", "8x8", "1,000"],
    ]
    assert found[-1] == "model  1,234 parameters"


def test_what_was_done_to_the_data_stands_below_its_sizes() -> None:
    event = msgspec.structs.replace(started(2), data=("labels a\x1bb, c renamed", "channels last turned"))
    assert list(lines(event))[1:4] == [
        "data   train 1,293  val 144",
        "       labels a\ufffdb, c renamed",
        "       channels last turned",
    ]


def test_a_long_layer_table_is_cut_to_what_learns() -> None:
    found = list(lines(started(60)))
    assert not any("ReLU" in line for line in found)
    assert sum("Linear" in line for line in found) == 30
