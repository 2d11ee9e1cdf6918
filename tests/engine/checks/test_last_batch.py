"""The short batch at the end of an epoch: dropped on request, and told where it would be one row too few."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.resuming import go_on, live, repeated, start
from support.running import run
from torch.utils.data import DataLoader, TensorDataset

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import batches, ends_alone, near
from trainconsole.engine.runs.replay import compare, recipe

NORMED = "model.batch_norm=true"
ROWS = 96
"""Training rows of iris."""


@given(st.integers(1, 300), st.integers(1, 300), st.booleans())
def test_batches_are_counted_as_a_dataloader_has_them(rows: int, size: int, drop: bool) -> None:
    loader = DataLoader(TensorDataset(torch.empty(rows)), size, drop_last=drop)
    lengths = [len(batch) for (batch,) in loader]
    assert batches(rows, size, drop_last=drop) == len(lengths)
    assert ends_alone(rows, size, drop_last=drop) is (size == 1 or lengths[-1:] == [1])
    assert rows == 1 or not ends_alone(rows, near(rows, size), drop_last=False)


# --- drop_last --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "steps"), [(36, 2), (32, 3), (96, 1), (49, 1)])
def test_the_short_batch_is_dropped(tmp_path: Path, size: int, steps: int) -> None:
    ran = run(tmp_path, "iris", "drop_last=true", f"batch_size={size}", "epochs=3")
    assert ran.rows["step"].tolist() == list(range(1, 3 * steps + 1))
    assert ran.rows["epoch"].tolist() == [epoch for epoch in (1, 2, 3) for _ in range(steps)]
    assert [event["step"] for event in ran.of("epoch")] == [steps, 2 * steps, 3 * steps]
    assert ran.status.steps == 3 * steps
    assert ran.last["reason"] == "completed"


def test_what_is_dropped_does_not_weigh_on_the_steps_before(tmp_path: Path) -> None:
    kept = run(tmp_path, "iris", "batch_size=36", "epochs=1")
    dropped = run(tmp_path, "iris", "batch_size=36", "epochs=1", "drop_last=true")
    assert dropped.curve() == kept.curve()[:2]


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "linear"])
def test_a_schedule_that_spans_the_run_ends_with_its_last_step(tmp_path: Path, schedule: str) -> None:
    ran = run(tmp_path, "iris", "drop_last=true", "batch_size=36", f"schedule.name={schedule}", "epochs=6")
    whole = run(tmp_path, "iris", "batch_size=48", f"schedule.name={schedule}", "epochs=6")
    assert ran.rows["lr"].tolist() == whole.rows["lr"].tolist()


def test_resume_undo_batch_and_replay_know_of_it(tmp_path: Path) -> None:
    chosen = ("iris", "drop_last=true", "batch_size=36", "schedule.name=cosine", "epochs=5")
    at = ["step 3: batch 20"]
    plain = run(tmp_path, *chosen, at=at)
    assert [event["step"] for event in plain.of("epoch")] == [2, 6, 10, 14, 18]
    killed = live(start(tmp_path, *chosen, at=at), after={5: ["checkpoint"]}, dies=8)
    back = run(tmp_path, *chosen, at=at, after={7: ["lr 0.5"], 9: ["undo"]})
    for ran in (live(go_on(killed)), back):
        assert ran.last["weights_sha256"] == plain.last["weights_sha256"]
    again = repeated(plain, tmp_path / "again")
    assert compare(plain.path, again.path, recipe(plain.path))[0]


def test_a_batch_that_the_epoch_cannot_fill_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"batch_size 97 with drop_last: 96 training rows do not fill one"):
        run(tmp_path, "iris", "drop_last=true", "batch_size=97")
    ran = run(tmp_path, "iris", "drop_last=true", after={3: ["batch 97", "batch 96"]})
    assert "96 rows" in ran.rejected[0]["reason"]
    assert ran.last["reason"] == "completed"


def test_a_scripted_step_beyond_the_end_counts_whole_batches(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="which has 8 steps"):
        run(tmp_path, "iris", "drop_last=true", "batch_size=36", at=["step 9: lr 0.1"])


# --- one row ----------------------------------------------------------------------------------------------

NETS = """
import torch
from torch import nn

class Pooled(nn.Module):
    '''Batch norm over places: one row has enough of them.'''
    def __init__(self):
        super().__init__()
        self.norm, self.out = nn.BatchNorm1d(1), nn.Linear(4, 3)
    def forward(self, x):
        return self.out(self.norm(x[:, None]).flatten(1))

class Frozen(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.out = nn.BatchNorm1d(4), nn.Linear(4, 3)
    def train(self, mode=True):
        super().train(mode)
        self.norm.eval()
        return self
    def forward(self, x):
        return self.out(self.norm(x))

class Pairs(nn.Linear):
    def __init__(self):
        super().__init__(4, 3)
    def forward(self, x):
        if self.training and len(x) < 2:
            raise ValueError("pairs, please")
        return super().forward(x)
"""


@pytest.mark.parametrize("size", [5, 19, 95])
def test_a_last_row_alone_in_front_of_batch_norm_is_told_before_training(tmp_path: Path, size: int) -> None:
    with pytest.raises(UserError) as told:
        run(tmp_path, "iris", NORMED, f"batch_size={size}")
    first, second = str(told.value).splitlines()
    assert first.startswith(f"batch_size {size}: the last batch of an epoch (96 rows) has one row, and ")
    assert first.endswith("bn1 (BatchNorm1d) cannot normalise a single row")
    assert second.startswith("Set drop_last = true, or another batch_size, as ")
    way_out = second.removesuffix(".").split()[-1]
    assert run(tmp_path, "iris", NORMED, f"batch_size={way_out}", "epochs=1").last["type"] == "finished"
    ran = run(tmp_path, "iris", NORMED, f"batch_size={size}", "epochs=1", "drop_last=true")
    assert ran.last["step"] == ROWS // size


@pytest.mark.parametrize("drop", ["false", "true"])
def test_a_batch_of_one_is_told(tmp_path: Path, drop: str) -> None:
    with pytest.raises(UserError, match=r"batch_size 1: .*single row\nSet a batch_size of 2 or more"):
        run(tmp_path, "iris", NORMED, "batch_size=1", f"drop_last={drop}")


@pytest.mark.parametrize("size", [1, 16, 95])
@pytest.mark.parametrize("model", ["Pooled", "Frozen"])
def test_a_norm_that_can_have_one_row_trains(
    own_code: Callable[[str], str], tmp_path: Path, model: str, size: int
) -> None:
    ran = run(tmp_path, "iris", f"model.name={own_code(NETS)}:{model}", f"batch_size={size}", "epochs=1")
    assert ran.last["step"] == batches(ROWS, size, drop_last=False)


def test_whatever_else_fails_on_one_row_is_told_too(own_code: Callable[[str], str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the model fails on a single row: ValueError: pairs, please \(own"):
        run(tmp_path, "iris", f"model.name={own_code(NETS)}:Pairs", "batch_size=19")


def test_a_batch_command_that_leaves_one_row_is_refused(tmp_path: Path) -> None:
    """Of an epoch (19), of what is left of this one (96 - 32 rows: 21), and 1."""
    ran = run(tmp_path, "iris", NORMED, "batch_size=16", after={2: ["batch 19", "batch 21", "batch 1"]})
    reasons = [answer["reason"] for answer in ran.rejected]
    assert len(reasons) == 3
    wanted = ("96 rows", "of this epoch", "batch_size 1:")
    assert all(part in why for part, why in zip(wanted, reasons, strict=True))
    plain = run(tmp_path, "iris", NORMED, "batch_size=16")
    assert ran.last["weights_sha256"] == plain.last["weights_sha256"]
    without = run(tmp_path, "iris", "batch_size=16", after={2: ["batch 19"], 4: ["batch 1"]})
    assert without.rejected == []
