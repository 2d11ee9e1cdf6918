"""Weight decay where none is given: the optimizer's own, as torch has it, written down once."""

import pytest
import torch
from support.running import run

from trainconsole.engine.config.parsing import decode, override
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.optim.optimizers import CLASSES
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs.launch import with_usual_decay


@pytest.mark.parametrize("name", CLASSES)
def test_it_is_torchs_default(name):
    weight = torch.nn.Parameter(torch.ones(1))
    config = with_usual_decay(override(RunConfig(), [f"optimizer.name={name}"]))
    assert config.regularisation.weight_decay == CLASSES[name]([weight], lr=0.1).defaults["weight_decay"]


@pytest.mark.parametrize(
    ("given", "decay"),
    [
        ({"optimizer": {"name": "adamw"}}, 0.01),
        ({"optimizer": {"name": "adamw"}, "regularisation": {"weight_decay": 0.0}}, 0.0),
        ({"optimizer": {"name": "adamw"}, "regularisation": {"weight_decay": 0.3}}, 0.3),
        ({"optimizer": {"name": "adamw"}, "regularisation": {"l1": 0.1}}, 0.01),
        ({}, 0.0),
    ],
)
def test_what_is_given_stands(given, decay):
    assert with_usual_decay(decode(given)).regularisation.weight_decay == decay


def test_it_goes_with_the_optimizer_that_is_chosen():
    adamw = decode({"optimizer": {"name": "adamw"}})
    assert with_usual_decay(override(adamw, ["optimizer.name=sgd"])).regularisation.weight_decay == 0.0


def test_the_config_of_a_run_has_it_and_the_weights_show_it(tmp_path):
    plain = run(tmp_path, "iris", "optimizer.name=adamw")
    given = run(tmp_path, "iris", "optimizer.name=adamw", "regularisation.weight_decay=0.01")
    none = run(tmp_path, "iris", "optimizer.name=adamw", "regularisation.weight_decay=0")
    assert run_directory.read_config(plain.path).regularisation.weight_decay == 0.01
    assert plain.last["weights_sha256"] == given.last["weights_sha256"] != none.last["weights_sha256"]


OWN = """
import torch

class Own(torch.optim.SGD):
    def __init__(self, params, lr):
        super().__init__(params, lr, weight_decay=0.25)
"""


def test_an_optimizer_of_ones_own_keeps_its_own(tmp_path, own_code):
    name = own_code(OWN)
    ran = run(tmp_path, "iris", f"optimizer.name={name}:Own", at=["step 3: set weight_decay off"])
    assert ran.applied[0]["before"] == {"weight_decay": 0.25}
    assert ran.applied[0]["after"] == {"weight_decay": 0.0}
    swapped = run(tmp_path, "iris", f"optimizer.name={name}:Own", at=["step 3: optimizer sgd"])
    assert swapped.applied[0]["after"]["weight_decay"] == 0.25
