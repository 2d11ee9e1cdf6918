"""Models: shapes and sizes as published, fine-tuning, and what a user gets wrong."""

import pytest
import torch
from torch import nn

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.models import Cnn, Mlp, ResNet18, TorchvisionModel
from trainconsole.engine.models import build

MNIST = (1, 28, 28)


@pytest.mark.parametrize(
    ("config", "shape", "outputs", "parameters"),
    [
        (Cnn(), MNIST, 10, 421_642),
        (Mlp(hidden=(64, 32)), (4,), 3, 2_499),
        (Mlp(hidden=(64, 32)), (20,), 1, 20 * 64 + 64 + 64 * 32 + 32 + 33),
        (Mlp(hidden=()), MNIST, 10, 7_850),
        (Mlp(hidden=(8,), batch_norm=True), (4,), 3, 4 * 8 + 8 + 16 + 27),
        (Cnn(channels=(4,), fc=(), batch_norm=True), (3, 8, 8), 2, 3 * 4 * 9 + 4 + 8 + 4 * 16 * 2 + 2),
        (ResNet18(), (3, 32, 32), 10, 11_173_962),
        (TorchvisionModel(architecture="squeezenet1_1"), (3, 64, 64), 7, 722_496 + 513 * 7),
    ],
)
def test_size_and_output_shape(config, shape, outputs, parameters):
    model = build.build(config, shape, outputs)
    assert build.parameter_count(model) == parameters
    assert model(torch.zeros(2, *shape)).shape == (2, outputs)
    build.check(model, torch.zeros(5, *shape), outputs)
    table = build.layer_table(model, shape)
    assert sum(row.parameters for row in table) == parameters
    assert table[-1].name in {"out", "fc", "classifier.3"} or config.weights is None


def test_weights_come_from_the_global_generator():
    torch.manual_seed(3)
    first = build.build(Mlp(), (4,), 3)
    torch.manual_seed(3)
    second = build.build(Mlp(), (4,), 3)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("name", list(build.ACTIVATIONS))
def test_every_activation_is_where_the_config_puts_it(name):
    model = build.build(Mlp(hidden=(5,), activation=name), (4,), 3)
    assert type(model.get_submodule("fc_act1")) is build.ACTIVATIONS[name]


def test_layer_table_of_the_mnist_cnn():
    table = build.layer_table(build.build(Cnn(), MNIST, 10), MNIST)
    rows = {row.name: (row.kind, row.shape, row.parameters) for row in table}
    assert rows["conv1"] == ("Conv2d", (32, 28, 28), 320)
    assert rows["pool2"] == ("MaxPool2d", (64, 7, 7), 0)
    assert rows["fc1"] == ("Linear", (128,), 401_536)
    assert rows["out"] == ("Linear", (10,), 1_290)
    assert [row.name for row in table][:3] == ["conv1", "act1", "pool1"]


def test_looking_leaves_the_model_and_the_random_state_alone():
    model = build.build(Cnn(channels=(4,), fc=(8,), batch_norm=True, dropout=0.5), (1, 8, 8), 3)
    model.get_submodule("bn1").eval()
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    build.check(model, torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), 3)
    build.layer_table(model, (1, 8, 8))
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("config", [Cnn(), ResNet18(), TorchvisionModel(architecture="resnet18")])
def test_images_wanted_tables_given(config):
    with pytest.raises(UserError, match=r"takes images .* the data gives rows of shape \(20,\)\nUse mlp"):
        build.build(config, (20,), 2)


def test_nothing_left_of_a_small_image():
    with pytest.raises(UserError, match=r"nothing is left of images of \(1, 8, 8\) at convolution 4 of 4"):
        build.build(Cnn(channels=(8, 8, 8, 8)), (1, 8, 8), 10)


def test_wrong_input_names_the_layer_and_both_shapes():
    model = build.build(Cnn(), MNIST, 10)
    expected = r"fc1 \(Linear\) expects \(N, 3136\) but gets \(2, 256\); the data gives \(2, 1, 8, 8\)"
    with pytest.raises(UserError, match=expected):
        build.check(model, torch.zeros(2, 1, 8, 8), 10)
    with pytest.raises(UserError, match=r"conv1 \(Conv2d\) expects \(N, 1, H, W\) but gets \(2, 3, 28, 28\)"):
        build.check(model, torch.zeros(2, 3, 28, 28), 10)


def test_wrong_output_says_both_shapes():
    model = nn.Linear(4, 10)
    with pytest.raises(UserError, match=r"returns \(2, 10\) .* \(2, 4\), the loss needs \(N, 5\)"):
        build.check(model, torch.zeros(2, 4), 5)


def test_a_single_output_may_be_flat():
    build.check(nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), torch.zeros(3, 4), 1)


def test_a_model_that_fails_inside_is_blamed_with_the_shape():
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return x + self.weight

    with pytest.raises(UserError, match=r"fails on data of shape \(2, 4\)\nRuntimeError: The size of tensor"):
        build.check(Broken(), torch.zeros(2, 4), 3)


def test_nothing_to_train():
    with pytest.raises(UserError, match="Flatten has no trainable parameters"):
        build.check(nn.Flatten(), torch.zeros(2, 4), 4)
