"""A non-finite update reaches neither weights, optimizer state nor buffers; and its origin is named."""

import pytest
import torch
from torch import Tensor, nn

from trainconsole.engine.config.optimizers import Adagrad, Adam, AdamW, AnyOptimizer, NAdam, RMSprop, Sgd
from trainconsole.engine.models.diagnosis import first_nonfinite
from trainconsole.engine.optim import optimizers
from trainconsole.engine.optim.guard import DeviceGuard, Guard, HostGuard, build_guard

OFF = torch.amp.GradScaler("cpu", enabled=False)

CPU = torch.device("cpu")

OPTIMIZERS: dict[str, AnyOptimizer] = {
    "sgd": Sgd(lr=0.1),
    "sgd-momentum": Sgd(lr=0.1, momentum=0.9),
    "sgd-dampening": Sgd(lr=0.1, momentum=0.9, dampening=0.5),
    "adam": Adam(lr=0.01),
    "adamw": AdamW(lr=0.01),
    "adagrad": Adagrad(lr=0.1),
    "rmsprop": RMSprop(lr=0.01, momentum=0.9),
    "nadam": NAdam(lr=0.01),
}
GUARDS = ["host", "device"]


class Run:
    """A small network with BatchNorm, and one training step as a trainer makes it."""

    def __init__(self, config: AnyOptimizer, guard: str, *, sticky: bool = True) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
        groups = [{"params": list(self.model.parameters()), "lr_factor": 1.0, "name": "all"}]
        self.optimizer = optimizers.build(config, groups, 0.01, CPU)
        made: dict[str, Guard] = {
            "host": HostGuard(self.model),
            "device": DeviceGuard(self.model, CPU, sticky=sticky),
        }
        self.guard = made[guard]

    def step(self, number: int, *, poison: bool = False) -> None:
        generator = torch.Generator().manual_seed(number)
        x, y = torch.randn(16, 4, generator=generator), torch.randint(0, 3, (16,), generator=generator)
        if poison:
            x[3, 2] = float("nan")
        self.guard.before()
        loss = nn.functional.cross_entropy(self.model(x), y)
        if self.guard.admits(loss) is not False:
            self.optimizer.zero_grad()
            loss.backward()
            self.guard.step(self.optimizer, OFF)

    def state(self) -> list[Tensor]:
        """Weights, buffers and optimizer state."""
        kept = [value.clone() for value in self.model.state_dict().values()]
        for parameter in self.model.parameters():
            kept += [v.clone() for v in self.optimizer.state.get(parameter, {}).values() if v is not None]
        return kept


def same(one: list[Tensor], two: list[Tensor]) -> bool:
    return len(one) == len(two) and all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("bad", [1, 2, 4])
def test_a_bad_step_changes_nothing(name, guard, bad):
    run = Run(OPTIMIZERS[name], guard)
    for number in range(1, bad):
        run.step(number)
    before = run.state()
    assert not run.guard.withheld()
    run.step(bad, poison=True)
    assert run.guard.withheld()
    assert same(run.state(), before)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("guard", GUARDS)
def test_skipping_goes_on_as_if_the_step_had_not_been(name, guard):
    run, clean = Run(OPTIMIZERS[name], guard, sticky=False), Run(OPTIMIZERS[name], guard, sticky=False)
    for number in range(1, 9):
        run.step(number, poison=number in (1, 4, 5))
        if number not in (1, 4, 5):
            clean.step(number)
    assert same(run.state(), clean.state())
    assert run.guard.withheld()
    assert not clean.guard.withheld()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_both_guards_give_the_bits_of_plain_training(name):
    runs = [Run(OPTIMIZERS[name], guard) for guard in GUARDS]
    plain = Run(OPTIMIZERS[name], "host")
    plain.guard = _NoGuard()
    for number in range(1, 6):
        for run in (*runs, plain):
            run.step(number)
    assert same(runs[0].state(), plain.state())
    assert same(runs[1].state(), plain.state())


class _NoGuard(HostGuard):
    def __init__(self) -> None:
        super().__init__(nn.Identity())

    def admits(self, loss: Tensor) -> bool:
        return True


@pytest.mark.parametrize("name", ["sgd-momentum", "adam", "rmsprop"])
def test_sticky_withholds_what_follows_until_cleared(name):
    run = Run(OPTIMIZERS[name], "device")
    run.step(1)
    run.step(2)
    before = run.state()
    run.step(3, poison=True)
    run.step(4)
    run.step(5)
    assert same(run.state(), before)
    run.guard.clear()
    assert not run.guard.withheld()
    run.step(6)
    assert not same(run.state(), before)
    assert all(value.isfinite().all() for value in run.state())


def test_an_optimizer_swapped_in_under_the_guard_is_guarded():
    run = Run(OPTIMIZERS["adam"], "device", sticky=False)
    run.step(1)
    groups = [{"params": list(run.model.parameters()), "lr_factor": 1.0, "name": "all"}]
    run.optimizer = optimizers.build(OPTIMIZERS["sgd-momentum"], groups, 0.0, CPU)
    before = run.state()
    run.step(2, poison=True)
    assert same(run.state(), before)


class _Counting(torch.optim.Optimizer):
    """A user's optimizer that keeps state where a copy of tensors does not see it."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})
        self.calls = 0

    @torch.no_grad()
    def step(self, closure=None):
        self.calls += 1
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(group["lr"] * parameter.grad / self.calls)


@pytest.mark.parametrize("guard", GUARDS)
def test_own_optimizers_are_not_called_for_a_bad_step(guard):
    run = Run(Sgd(), guard, sticky=False)
    run.optimizer = optimizer = _Counting(run.model.parameters())
    for number in range(1, 5):
        run.step(number, poison=number == 3)
    assert optimizer.calls == 3
    assert all(value.isfinite().all() for value in run.state())


def test_a_buffer_that_the_module_assigns_anew_is_put_back():
    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 1)
            self.register_buffer("mean", torch.zeros(4))

        def forward(self, x):
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
            return self.linear(x - self.mean)

    for make in (HostGuard, lambda model: DeviceGuard(model, CPU, sticky=True)):
        model = Mean()
        guard = make(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        guard.before()
        loss = model(torch.full((2, 4), float("inf"))).mean()
        if guard.admits(loss) is not False:
            loss.backward()
            guard.step(optimizer, OFF)
        assert torch.equal(model.mean, torch.zeros(4))


def test_the_guard_by_device():
    model = nn.Linear(2, 2)
    assert isinstance(build_guard(model, CPU, sticky=True), HostGuard)
    assert isinstance(build_guard(model, torch.device("meta"), sticky=True), DeviceGuard)


# --- where it began ---


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)
        self.block = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
        self.last = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.block(self.drop(self.norm(self.first(x)))))


def total(outputs: Tensor) -> Tensor:
    return outputs.sum()


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def test_inputs_and_parameters_come_first(net):
    assert first_nonfinite(net, torch.full((2, 4), float("nan")), total) == "inputs"
    with torch.no_grad():
        net.last.bias[1] = float("inf")
        assert first_nonfinite(net, torch.ones(2, 4), total) == "parameter last.bias"
        net.last.bias[1] = 0
    net.norm.running_var[0] = float("nan")
    assert first_nonfinite(net, torch.ones(2, 4), total) == "buffer norm.running_var"


def test_the_first_layer_that_overflows(net):
    with torch.no_grad():
        net.block[0].weight.fill_(3e38)
    assert first_nonfinite(net, torch.randn(8, 4), total) == "block.0 (Linear)"


def test_an_operation_between_layers_is_the_models(net):
    class Log(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).abs().neg().log()

    assert first_nonfinite(Log(), torch.randn(8, 4), total) == "model (Log)"


def test_loss_and_gradient(net):
    assert first_nonfinite(net, torch.randn(8, 4), lambda out: out.sum() / 0) == "loss"
    zero_root = first_nonfinite(net, torch.randn(8, 4), lambda out: (out * 0).sqrt().sum())
    assert zero_root == "gradient of last.bias"


def test_what_is_finite_when_computed_again(net):
    assert first_nonfinite(net, torch.randn(8, 4), total) == "loss (finite when computed again)"


def test_looking_leaves_everything_as_it_was(net):
    net.block.eval()
    total(net(torch.ones(4, 4))).backward()
    gradients = [parameter.grad.clone() for parameter in net.parameters()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    inputs, random = torch.randn(8, 4), torch.get_rng_state()
    first_nonfinite(net, inputs, total)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(net.parameters(), gradients, strict=True))
    assert net.training
    assert not net.block[0].training
    assert not net.first._forward_hooks
