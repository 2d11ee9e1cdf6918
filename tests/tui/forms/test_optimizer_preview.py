import pytest
import torch
from support.statuses import STARTING, status

from trainconsole.engine.config.optimizers import FRESH, AnyOptimizer
from trainconsole.engine.config.parsing import variants
from trainconsole.engine.config.schedules import Constant, Cosine
from trainconsole.engine.optim import optimizers
from trainconsole.engine.optim.swap import swap
from trainconsole.engine.protocol.grammar import parse
from trainconsole.tui.forms.fields import about
from trainconsole.tui.forms.optimizer_preview import effects, name_in_force

NAMES = [name for name in variants(AnyOptimizer) if name != "import"]
WORDS = [*NAMES, "sgd momentum=0.9", "rmsprop momentum=0.5"]
CPU = torch.device("cpu")


def trained(words: str) -> tuple[torch.optim.Optimizer, AnyOptimizer]:
    """An optimizer that has taken a step."""
    config = parse(f"optimizer {words}").optimizer
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = optimizers.build(config, [{"params": [weight], "lr_factor": 1.0, "name": ""}], 1e-4, CPU)
    weight.grad = torch.ones(3)
    optimizer.step()
    return optimizer, config


@pytest.mark.parametrize("source", WORDS)
@pytest.mark.parametrize("target", WORDS)
def test_what_is_said_before_is_what_the_swap_says_afterwards(source, target):
    optimizer, config = trained(source)
    command = parse(f"optimizer {target}")
    _, note = swap(optimizer, config, command.optimizer, 1e-4, CPU)
    in_force = {"optimizer": source.split()[0], **optimizers.effective(optimizer)}
    said = dict(effects(status(**in_force), command))
    told = [said["state"], *([said["decay"]] if "decay" in said else [])]
    assert "; ".join(told) == note.replace(FRESH, "starts fresh; the weights stay")


def test_before_the_first_step_everything_starts_fresh():
    said = dict(effects(status(step=0), parse("optimizer adamw")))
    assert said["state"] == "starts fresh; the weights stay"


def test_without_weight_decay_its_meaning_is_no_news():
    assert "decay" not in dict(effects(status(weight_decay=0.0), parse("optimizer sgd")))
    assert "stays 0" in dict(effects(status(weight_decay=0.0), parse("optimizer adamw")))["decay"]
    assert "decoupled" in dict(effects(status(), parse("optimizer adamw")))["decay"]


def test_a_rate_that_is_given_is_the_rate_in_force():
    rate = dict(effects(status(), parse("optimizer sgd lr=0.02")))["rate"]
    assert rate == "5e-4 → 2e-2, as given; the schedule goes on from there"


def test_without_one_our_default_goes_through_the_schedule():
    rate = dict(effects(status(), parse("optimizer sgd")))["rate"]
    assert rate == "5e-4 → 5e-3: our default 1e-2, by the cosine schedule"
    constant = dict(effects(status(schedule=Constant()), parse("optimizer sgd")))["rate"]
    assert constant.startswith("1e-3 → 1e-2: our default 1e-2")


def test_a_rate_out_of_reach_is_an_error():
    with pytest.raises(ValueError, match="cosine schedule is at 0 here"):
        effects(status(step=900, schedule=Cosine(T_max=10)), parse("optimizer sgd lr=0.1"))


def test_while_the_host_starts_there_is_no_rate_yet():
    assert "starting" in dict(effects(STARTING, parse("optimizer sgd")))["rate"]


def test_every_optimizer_is_described():
    for name in variants(AnyOptimizer):
        assert about(AnyOptimizer, name).endswith(".")
    assert name_in_force(status(optimizer="mine.opt:Lion")) == "import"
    assert name_in_force(STARTING) == ""
