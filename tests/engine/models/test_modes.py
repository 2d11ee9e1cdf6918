"""Training and evaluation mode are what the model's own train() and eval() make of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.running import run
from torch import nn

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.models.modes import to_evaluation_mode, to_training_mode

NETS = """
import torch
from torch import nn

class FrozenNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.bn, self.drop = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)
        self.out = nn.Linear(8, 3)
    def train(self, mode=True):
        super().train(mode)
        self.bn.eval()
        return self
    def forward(self, x):
        return self.out(self.drop(torch.relu(self.bn(self.a(x)))))

class NoReturn(FrozenNorm):
    def train(self, mode=True):
        super().train(mode)

class OwnEval(FrozenNorm):
    def train(self, mode=True):
        return nn.Module.train(self, mode)
    def eval(self):
        super().eval()
        self.drop.train()

class OwnFit(FrozenNorm):
    def train(self, loader=None, epochs=3):
        raise TypeError("train() wants a loader")
"""


@pytest.mark.parametrize("name", ["FrozenNorm", "NoReturn"])
def test_statistics_that_a_models_own_train_freezes_stay(
    own_code: Callable[[str], str], tmp_path: Path, name: str
) -> None:
    ran = run(tmp_path, "iris", f"model.name={own_code(NETS)}:{name}", "epochs=2")
    norm = ran.trainer.model.get_submodule("bn")
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert torch.equal(norm.running_mean, torch.zeros(8))
    assert not torch.equal(norm.weight, torch.ones(8))
    assert (norm.training, ran.trainer.model.get_submodule("drop").training) == (False, True)


def test_a_models_own_eval_is_asked(own_code: Callable[[str], str], tmp_path: Path) -> None:
    ran = run(tmp_path, "iris", f"model.name={own_code(NETS)}:OwnEval", "epochs=1")
    model = ran.trainer.model
    to_evaluation_mode(model)
    assert model.get_submodule("drop").training
    assert not model.get_submodule("bn").training
    to_training_mode(model)
    assert model.get_submodule("bn").training


def test_a_train_that_is_something_else_is_told(own_code: Callable[[str], str], tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"OwnFit.train\(\) failed: TypeError: train\(\) wants a loader"
    ) as told:
        run(tmp_path, "iris", f"model.name={own_code(NETS)}:OwnFit")
    assert "needs another name" in str(told.value)
    assert len(str(told.value).splitlines()) == 2


def test_a_norm_whose_weights_are_frozen_keeps_its_statistics() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3), nn.BatchNorm1d(3, affine=False))
    model[0].requires_grad_(False)
    to_training_mode(model)
    assert [module.training for module in model] == [False, True, True]
