"""The dropout knob reaches every module of torch that drops, as it trains."""

import pytest
import torch
import torchvision
from support.running import run
from torch import Tensor, nn

from trainconsole.engine.models import dropout

WIDTH = 8
X = torch.randn(6, 5, WIDTH, generator=torch.Generator().manual_seed(1))


class Attends(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return out


class Recurs(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.layers = kind(WIDTH, WIDTH, num_layers=2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)[0]
        return out


MODULES = {
    "Dropout": nn.Dropout(0.0),
    "Dropout1d": nn.Dropout1d(0.0),
    "Dropout2d": nn.Sequential(nn.Unflatten(2, (WIDTH, 1)), nn.Dropout2d(0.0)),
    "Dropout3d": nn.Sequential(nn.Unflatten(2, (WIDTH, 1, 1)), nn.Dropout3d(0.0)),
    "AlphaDropout": nn.AlphaDropout(0.0),
    "FeatureAlphaDropout": nn.FeatureAlphaDropout(0.0),
    "MultiheadAttention": Attends(),
    "TransformerEncoderLayer": nn.TransformerEncoderLayer(WIDTH, 2, 16, dropout=0.0, batch_first=True),
    "RNN": Recurs(nn.RNN),
    "GRU": Recurs(nn.GRU),
    "LSTM": Recurs(nn.LSTM),
}


@pytest.mark.parametrize("name", MODULES)
def test_each_module_drops_as_asked_and_as_before_again(name: str) -> None:
    module = MODULES[name].train()
    before = dropout.rates(module)
    assert set(before.values()) == {0.0}
    assert torch.equal(module(X), module(X))
    dropout.set_rates(module, 0.5, before)
    assert set(dropout.rates(module).values()) == {0.5}
    assert not torch.equal(module(X), module(X))
    dropout.set_rates(module, None, before)
    assert torch.equal(module(X), module(X))


@pytest.mark.parametrize("module", [nn.LSTM(4, 4), nn.GRU(4, 4), nn.Linear(4, 4), nn.BatchNorm1d(4)], ids=str)
def test_what_has_nothing_to_drop_has_no_rate(module: nn.Module) -> None:
    assert dropout.rates(module) == {}


NETS = """
import torch
from torch import nn

class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True, dropout=0.1)
        self.drop, self.out = nn.Dropout(0.3), nn.Linear(4, 3)

    def forward(self, x):
        x = x[:, None].expand(-1, 3, -1)
        return self.out(self.drop(self.attention(x, x, x, need_weights=False)[0].mean(1)))
"""


class Plainly(nn.Sequential):
    drop_rate = 0.2


def test_a_rate_that_is_a_plain_number_is_said_to_be_out_of_reach(tmp_path, own_code):
    assert dropout.unreached(nn.Sequential(nn.Linear(4, 4), Plainly(nn.Dropout(0.3)))) == ("1.drop_rate",)
    assert dropout.unreached(nn.Sequential(nn.LSTM(4, 4, dropout=0.0), nn.Dropout(0.3))) == ()
    assert len(dropout.unreached(torchvision.models.densenet121(drop_rate=0.1))) == 58
    model = f"model.name={own_code(PLAIN)}:Net"
    ran = run(tmp_path, "iris", model, "model.args.layer=true", at=["step 3: set dropout 0.5"])
    assert ran.applied[0]["note"] == "not rate.dropout: plain numbers in the model's own code"
    ran = run(tmp_path, "iris", model, "model.args.layer=false", at=["step 3: set dropout 0.5"])
    assert ran.rejected[0]["reason"].endswith("; not rate.dropout: plain numbers in the model's own code")


PLAIN = """
from torch import nn
from torch.nn import functional as F

class Rate(nn.Module):
    dropout = 0.1

    def forward(self, x):
        return F.dropout(x, self.dropout, self.training)

class Net(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.rate, self.out = Rate(), nn.Linear(4, 3)
        self.drop = nn.Dropout(0.3) if layer else nn.Identity()

    def forward(self, x):
        return self.out(self.drop(self.rate(x)))
"""


def test_a_run_sets_all_of_them_says_so_and_takes_it_back(tmp_path, own_code):
    model = f"model.name={own_code(NETS)}:Attends"
    plain = run(tmp_path, "iris", model)
    ran = run(tmp_path, "iris", model, after={9: ["set dropout 0.9"], 15: ["undo"]})
    answer = ran.applied[0]
    assert (answer["before"], answer["after"]) == ({"dropout": 0.3}, {"dropout": 0.9})
    assert answer["note"] == "all 2 dropout layers, which had 0.1 to 0.3"
    assert ran.curve()[9:15] != plain.curve()[9:15]
    assert ran.last["weights_sha256"] == plain.last["weights_sha256"]
