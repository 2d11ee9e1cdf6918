import pytest
import torch
from sklearn.datasets import load_digits
from support.optimizing import CPU, GRADIENTS, give, groups, parameters
from torch import Tensor, nn

from trainconsole.engine.config.optimizers import (
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AnyOptimizer,
    NAdam,
    RAdam,
    RMSprop,
    Sgd,
)
from trainconsole.engine.optim import optimizers
from trainconsole.engine.optim.swap import swap


def trained(config: AnyOptimizer, steps: int = 6) -> tuple[torch.optim.Optimizer, nn.Parameter]:
    (parameter,) = parameters(1.0)
    optimizer = optimizers.build(config, groups(parameter), 0.0, CPU)
    for gradient in GRADIENTS[:steps]:
        give(optimizer, gradient)
    return optimizer, parameter


def moments(beta1: float, beta2: float) -> tuple[Tensor, Tensor]:
    """Adam's bias-corrected moments after GRADIENTS, by hand in float64."""
    m = v = torch.zeros(3, dtype=torch.float64)
    for gradient in GRADIENTS.double():
        m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
    steps = len(GRADIENTS)
    return m / (1 - beta1**steps), v / (1 - beta2**steps)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)


ADAMS: list[AnyOptimizer] = [kind(betas=(0.8, 0.95)) for kind in (Adam, AdamW, NAdam, RAdam)]


@pytest.mark.parametrize("source", ADAMS, ids=lambda c: c.__struct_config__.tag)
@pytest.mark.parametrize("target", ADAMS, ids=lambda c: c.__struct_config__.tag)
def test_among_adams_moments_and_steps_stay(source, target):
    old, parameter = trained(source)
    kept = {name: value.clone() for name, value in old.state[parameter].items()}
    new, text = swap(old, source, target, 0.0, CPU)
    assert text.partition(";")[0] == "both moments and the step count carried over"
    state = new.state[parameter]
    assert torch.equal(state["exp_avg"], kept["exp_avg"])
    assert torch.equal(state["exp_avg_sq"], kept["exp_avg_sq"])
    assert float(state["step"]) == 6
    give(new, GRADIENTS[0])
    assert float(state["step"]) == 7
    assert all(torch.equal(old.state[parameter][name], value) for name, value in kept.items())


@pytest.mark.parametrize("name", ["adam", "nadam", "radam"])
def test_a_swap_there_and_back_is_as_if_nothing_happened(name):
    source = {"adam": Adam(), "nadam": NAdam(), "radam": RAdam()}[name]
    straight, one = trained(source)
    old, two = trained(source)
    there, _ = swap(old, source, AdamW(), 0.0, CPU)
    back, _ = swap(there, AdamW(), source, 0.0, CPU)
    for gradient in GRADIENTS:
        give(straight, gradient)
        give(back, gradient)
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


def test_other_betas_keep_the_corrected_moments():
    old, parameter = trained(Adam(betas=(0.9, 0.999)))
    new, _ = swap(old, Adam(betas=(0.9, 0.999)), Adam(betas=(0.5, 0.9)), 0.0, CPU)
    first, second = moments(0.9, 0.999)
    state = new.state[parameter]
    close(state["exp_avg"] / (1 - 0.5**6), first)
    close(state["exp_avg_sq"] / (1 - 0.9**6), second)


def test_amsgrad_turned_on_starts_from_the_second_moment_and_off_forgets_it():
    old, parameter = trained(Adam())
    on, _ = swap(old, Adam(), Adam(amsgrad=True), 0.0, CPU)
    state = on.state[parameter]
    assert torch.equal(state["max_exp_avg_sq"], state["exp_avg_sq"])
    assert state["max_exp_avg_sq"].data_ptr() != state["exp_avg_sq"].data_ptr()
    give(on, 100 * GRADIENTS[0])
    for _ in range(3):
        give(on, torch.zeros(3))
    assert bool((state["max_exp_avg_sq"] > state["exp_avg_sq"]).all())
    kept = state["max_exp_avg_sq"].clone()
    again, _ = swap(on, Adam(amsgrad=True), AdamW(amsgrad=True), 0.0, CPU)
    assert torch.equal(again.state[parameter]["max_exp_avg_sq"], kept)
    off, _ = swap(on, Adam(amsgrad=True), Adam(), 0.0, CPU)
    assert "max_exp_avg_sq" not in off.state[parameter]


@pytest.mark.parametrize("source", ADAMS, ids=lambda c: c.__struct_config__.tag)
def test_adams_to_rmsprop(source):
    old, parameter = trained(source)
    new, text = swap(old, source, RMSprop(momentum=0.5, centered=True), 0.0, CPU)
    assert text == "second moment carried over, bias-corrected"
    state = new.state[parameter]
    close(state["square_avg"], moments(0.8, 0.95)[1])
    assert not state["momentum_buffer"].any()
    assert not state["grad_avg"].any()
    give(new, GRADIENTS[0])
    assert parameter.isfinite().all()


@pytest.mark.parametrize("source", ADAMS, ids=lambda c: c.__struct_config__.tag)
def test_adams_to_sgd_with_momentum(source):
    old, parameter = trained(source)
    new, text = swap(old, source, Sgd(lr=0.1, momentum=0.9), 0.0, CPU)
    assert text == "momentum from the first moment"
    first = moments(0.8, 0.95)[0]
    close(new.state[parameter]["momentum_buffer"], first)
    before = parameter.detach().clone().double()
    give(new, GRADIENTS[0])
    close(parameter.data, before - 0.1 * (0.9 * first + GRADIENTS[0].double()))


def test_rmsprops_momentum_to_sgd():
    old, parameter = trained(RMSprop(momentum=0.5))
    buffer = old.state[parameter]["momentum_buffer"].clone()
    new, text = swap(old, RMSprop(momentum=0.5), Sgd(momentum=0.9), 0.0, CPU)
    assert text == "momentum carried over"
    assert torch.equal(new.state[parameter]["momentum_buffer"], buffer)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (Sgd(momentum=0.9), Adam()),
        (Sgd(momentum=0.9), RMSprop(momentum=0.9)),
        (Adam(), Sgd()),
        (Adam(), Adagrad()),
        (Adam(), Adamax()),
        (Adamax(), Adam()),
        (RMSprop(), Adam()),
        (RMSprop(), Sgd(momentum=0.9)),
        (RMSprop(momentum=0.5), Sgd()),
        (Adadelta(), RMSprop()),
        (Adagrad(), Adadelta()),
    ],
)
def test_everything_else_starts_fresh(source, target):
    old, parameter = trained(source)
    new, text = swap(old, source, target, 0.0, CPU)
    assert text == "fresh state"
    made = optimizers.build(target, groups(parameter), 0.0, CPU)
    assert {k: v.tolist() for k, v in new.state[parameter].items()} == {
        k: v.tolist() for k, v in made.state[parameter].items()
    }


def test_before_the_first_step_there_is_nothing_to_carry():
    old, _ = trained(Adam(), steps=0)
    assert swap(old, Adam(), NAdam(), 0.0, CPU)[1] == "fresh state"


@pytest.mark.parametrize(
    ("source", "target", "decay", "note"),
    [
        (Adam(), AdamW(), 0.01, "; weight decay 0.01 is now decoupled, was L2"),
        (AdamW(), Sgd(), 0.01, "; weight decay 0.01 is now L2, was decoupled"),
        (Adam(), AdamW(), 0.0, "; weight decay stays 0, without which adamw is adam"),
        (AdamW(), Adam(), 0.0, ""),
        (Adam(), NAdam(), 0.01, ""),
    ],
)
def test_the_meaning_of_weight_decay_is_said_where_it_changes(source, target, decay, note):
    old, _ = trained(source)
    new, text = swap(old, source, target, decay, CPU)
    assert text.partition(";")[1:] == note.partition(";")[1:]
    assert optimizers.effective(new)["weight_decay"] == decay


def test_groups_and_frozen_parameters_survive_a_swap():
    head, frozen, body = parameters(1, 2, 3)
    frozen.requires_grad_(False)
    old = optimizers.build(Adam(), groups(head, frozen, body), 0.1, CPU)
    for parameter in (head, body):
        parameter.grad = torch.ones(3)
    old.step()
    new, _ = swap(old, Adam(), Sgd(lr=0.5, momentum=0.9), 0.1, CPU)
    assert [(g["name"], g["lr_factor"], g["lr"]) for g in new.param_groups] == [
        ("head", 1.0, 0.5),
        ("backbone", 0.1, pytest.approx(0.05)),
    ]
    new.step()
    assert torch.equal(frozen.data, torch.full((3,), 2.0))
    assert not frozen.requires_grad
    assert frozen not in new.state


def digits_loss(model: nn.Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return nn.functional.cross_entropy(model(x), y).item()


@pytest.mark.parametrize(
    "target", [Sgd(lr=0.01, momentum=0.9), RMSprop(lr=1e-3), AdamW(lr=1e-3), NAdam(lr=1e-3), RAdam(lr=1e-3)]
)
def test_a_swap_on_real_digits_does_not_jump(target):
    data = load_digits()
    x, y = torch.tensor(data.data / 16, dtype=torch.float32), torch.tensor(data.target)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    everything = [{"params": list(model.parameters()), "lr_factor": 1.0, "name": "all"}]
    optimizer = optimizers.build(Adam(lr=1e-3), everything, 0.0, CPU)

    def run(steps: int) -> list[float]:
        seen = []
        for step in range(steps):
            rows = slice(64 * step % 1728, 64 * step % 1728 + 64)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            seen.append(digits_loss(model, x, y))
        return seen

    before = run(400)[-1]
    optimizer, _ = swap(optimizer, Adam(lr=1e-3), target, 0.0, CPU)
    after = run(60)
    assert before < 0.4
    assert max(after) < 1.1 * before
