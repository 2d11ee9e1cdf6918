"""What is logged is what is recorded, whatever it is kept in."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.own_loop.numbers import Update, checked, own, rows

NUMBERS = [
    torch.tensor(0.5),
    torch.tensor([0.5]),
    torch.tensor([[0.5]], dtype=torch.float64),
    torch.tensor(0.5, dtype=torch.bfloat16),
    torch.tensor(0.5, requires_grad=True) * 1,
    torch.tensor(1),
    torch.tensor(True),
    np.float32(0.5),
    np.int64(1),
    np.array(0.5),
    0.5,
    1,
    True,
    math.nan,
    math.inf,
]


def update(number: int, **logged: Any) -> Update:
    kept = {name: [checked(name, v) for v in values] for name, values in logged.items()}
    return Update(number, 1, 0.1, kept, None)


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_any_number_is_kept(number: Any) -> None:
    found = rows([update(1, loss=[number]), update(2, loss=[0.25]), update(3, loss=[number, number])])
    wanted = float(number)
    np.testing.assert_array_equal(found["loss"], np.array([wanted, 0.25, wanted], np.float32))
    assert np.isnan(found["metric"]).all()


@pytest.mark.parametrize("number", [torch.ones(2), torch.ones(0), "0.5x", None, [1.0], {"a": 1}, object()])
def test_what_is_no_number_is_told(number: Any) -> None:
    with pytest.raises(UserError, match=r"run\.log\(loss=\.\.\.\)"):
        checked("loss", number)


def test_the_graph_is_not_kept() -> None:
    weight = torch.ones(3, requires_grad=True)
    kept = checked("loss", weight.sum())
    assert isinstance(kept, torch.Tensor)
    assert kept.grad_fn is None


def test_what_comes_more_often_than_an_update_is_averaged() -> None:
    found = rows([update(1, loss=[1.0, torch.tensor(2.0), 6.0], accuracy=[0.5]), update(2)])
    assert found["loss"][0] == 3.0
    assert found["metric"][0] == 0.5
    assert np.isnan(found["loss"][1])


def test_other_names_have_files_of_their_own() -> None:
    found = own([update(1, kl=[2.0], loss=[1.0]), update(2, loss=[1.0]), update(3, kl=[math.nan], gap=[1])])
    assert {name: steps for name, (steps, _) in found.items()} == {"kl": [1, 3], "gap": [3]}
    np.testing.assert_array_equal(found["kl"][1], np.array([2.0, math.nan], np.float32))
