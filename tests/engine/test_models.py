"""Models: shapes and sizes as published, fine-tuning, and what a user gets wrong."""

import sys

import pytest
import torch
from torch import nn

from trainconsole.engine import models
from trainconsole.engine.config import Cnn, ImportedModel, Mlp, ResNet18, TorchvisionModel
from trainconsole.engine.errors import UserError

MNIST = (1, 28, 28)


def layer(model: nn.Module, name: str) -> nn.Linear:
    found = model.get_submodule(name)
    assert isinstance(found, nn.Linear)
    return found


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
    model = models.build(config, shape, outputs)
    assert models.parameter_count(model) == parameters
    assert model(torch.zeros(2, *shape)).shape == (2, outputs)
    models.check(model, torch.zeros(5, *shape), outputs)
    table = models.layer_table(model, shape)
    assert sum(row.parameters for row in table) == parameters
    assert table[-1].name in {"out", "fc", "classifier.3"} or config.weights is None


def test_weights_come_from_the_global_generator():
    torch.manual_seed(3)
    first = models.build(Mlp(), (4,), 3)
    torch.manual_seed(3)
    second = models.build(Mlp(), (4,), 3)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("name", list(models.ACTIVATIONS))
def test_every_activation_is_where_the_config_puts_it(name):
    model = models.build(Mlp(hidden=(5,), activation=name), (4,), 3)
    assert type(model.get_submodule("fc_act1")) is models.ACTIVATIONS[name]


def test_layer_table_of_the_mnist_cnn():
    table = models.layer_table(models.build(Cnn(), MNIST, 10), MNIST)
    rows = {row.name: (row.kind, row.shape, row.parameters) for row in table}
    assert rows["conv1"] == ("Conv2d", (32, 28, 28), 320)
    assert rows["pool2"] == ("MaxPool2d", (64, 7, 7), 0)
    assert rows["fc1"] == ("Linear", (128,), 401_536)
    assert rows["out"] == ("Linear", (10,), 1_290)
    assert [row.name for row in table][:3] == ["conv1", "act1", "pool1"]


def test_looking_leaves_the_model_and_the_random_state_alone():
    model = models.build(Cnn(channels=(4,), fc=(8,), batch_norm=True, dropout=0.5), (1, 8, 8), 3)
    model.get_submodule("bn1").eval()
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    models.check(model, torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), 3)
    models.layer_table(model, (1, 8, 8))
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


# --- what does not fit ---


@pytest.mark.parametrize("config", [Cnn(), ResNet18(), TorchvisionModel(architecture="resnet18")])
def test_images_wanted_tables_given(config):
    with pytest.raises(UserError, match=r"takes images .* the data gives rows of shape \(20,\)\nUse mlp"):
        models.build(config, (20,), 2)


def test_nothing_left_of_a_small_image():
    with pytest.raises(UserError, match=r"nothing is left of images of \(1, 8, 8\) at convolution 4 of 4"):
        models.build(Cnn(channels=(8, 8, 8, 8)), (1, 8, 8), 10)


def test_wrong_input_names_the_layer_and_both_shapes():
    model = models.build(Cnn(), MNIST, 10)
    expected = r"fc1 \(Linear\) expects \(N, 3136\) but gets \(2, 256\); the data gives \(2, 1, 8, 8\)"
    with pytest.raises(UserError, match=expected):
        models.check(model, torch.zeros(2, 1, 8, 8), 10)
    with pytest.raises(UserError, match=r"conv1 \(Conv2d\) expects \(N, 1, H, W\) but gets \(2, 3, 28, 28\)"):
        models.check(model, torch.zeros(2, 3, 28, 28), 10)


def test_wrong_output_says_both_shapes():
    model = nn.Linear(4, 10)
    with pytest.raises(UserError, match=r"returns \(2, 10\) .* \(2, 4\), the loss needs \(N, 5\)"):
        models.check(model, torch.zeros(2, 4), 5)


def test_a_single_output_may_be_flat():
    models.check(nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), torch.zeros(3, 4), 1)


def test_a_model_that_fails_inside_is_blamed_with_the_shape():
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return x + self.weight

    with pytest.raises(UserError, match=r"fails on data of shape \(2, 4\)\nRuntimeError: The size of tensor"):
        models.check(Broken(), torch.zeros(2, 4), 3)


def test_nothing_to_train():
    with pytest.raises(UserError, match="Flatten has no trainable parameters"):
        models.check(nn.Flatten(), torch.zeros(2, 4), 4)


# --- torchvision ---


def test_unknown_names_get_the_nearest():
    with pytest.raises(UserError, match=r"architecture: unknown 'resnet81', did you mean .*'resnet18'"):
        models.build(TorchvisionModel(architecture="resnet81"), (3, 32, 32), 10)
    with pytest.raises(UserError, match=r"weights: unknown 'IMAGENET_V1', did you mean 'IMAGENET1K_V1'"):
        models.build(TorchvisionModel(architecture="resnet18", weights="IMAGENET_V1"), (3, 32, 32), 10)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """torch's cache in a folder of the test, with a resnet18 file as it would be downloaded."""
    import torchvision

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    state = torchvision.models.resnet18().state_dict()
    torch.save(state, folder / "resnet18-f37072fd.pth")
    return folder, state


def test_pretrained_weights_stay_but_for_first_and_last_layer(hub):
    _, state = hub
    config = TorchvisionModel(architecture="resnet18", weights="IMAGENET1K_V1")
    model = models.build(config, MNIST, 5)
    own = model.state_dict()
    assert torch.equal(own["layer3.0.conv1.weight"], state["layer3.0.conv1.weight"])
    assert own["fc.weight"].shape == (5, 512)
    grey = torch.randn(2, 1, 32, 32)
    in_colour = nn.functional.conv2d(grey.repeat(1, 3, 1, 1), state["conv1.weight"], stride=2, padding=3)
    torch.testing.assert_close(model.get_submodule("conv1")(grey), in_colour, rtol=1e-4, atol=1e-4)


def test_weights_that_cannot_be_had(hub, monkeypatch):
    folder, _ = hub
    (folder / "resnet18-f37072fd.pth").unlink()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(UserError, match=r"cannot get IMAGENET1K_V1 of resnet18") as caught:
        models.build(TorchvisionModel(architecture="resnet18", weights="DEFAULT"), (3, 32, 32), 10)
    assert len(str(caught.value).splitlines()) <= 3


def test_auxiliary_heads_are_gone():
    model = models.build(TorchvisionModel(architecture="googlenet"), (3, 64, 64), 4)
    assert model.train()(torch.randn(2, 3, 64, 64)).shape == (2, 4)


# --- the user's own ---

OWN = """
from torch import nn

def net(width=4):
    return nn.Linear(4, width)

def number():
    return 3

def broken():
    return {}["missing"]

made = nn.Linear(4, 2)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_nets.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "own_nets"
    sys.modules.pop("own_nets", None)


def test_own_model_gets_its_arguments(own):
    config = ImportedModel(target=f"{own}:net", args={"width": 7})
    assert models.build(config, (4,), 7)(torch.zeros(2, 4)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("number", "returns int, not a torch.nn.Module"),
        ("broken", r"failed: KeyError: 'missing' \(own_nets.py:11\)"),
        ("made", "must be a class or function that returns a"),
    ],
)
def test_own_model_gone_wrong(own, name, text):
    with pytest.raises(UserError, match=text):
        models.build(ImportedModel(target=f"{own}:{name}"), (4,), 2)


# --- fine-tuning ---


def test_one_group_without_a_backbone_rate():
    model = models.build(Mlp(freeze=("fc1",)), (4,), 3)
    (group,) = models.parameter_groups(model, Mlp(freeze=("fc1",)))
    assert (group["name"], group["lr_factor"]) == ("all", 1.0)
    assert len(group["params"]) == 4
    assert models.parameter_count(model) == 2_499 - 320
    assert not layer(model, "fc1").bias.requires_grad


def test_head_and_backbone():
    config = Mlp(freeze=("fc1.*",), backbone_lr=0.1)
    model = models.build(config, (4,), 3)
    head, backbone = models.parameter_groups(model, config)
    assert (head["name"], head["lr_factor"]) == ("head", 1.0)
    assert {id(p) for p in head["params"]} == {id(p) for p in layer(model, "out").parameters()}
    assert (backbone["name"], backbone["lr_factor"]) == ("backbone", 0.1)
    assert {id(p) for p in backbone["params"]} == {id(p) for p in layer(model, "fc2").parameters()}


def test_patterns_that_match_nothing_and_all():
    model = models.build(Mlp(), (4,), 3)
    with pytest.raises(UserError, match=r"model.freeze: 'fc3' matches no parameter; nearest: fc"):
        models.parameter_groups(model, Mlp(freeze=("fc3",)))
    with pytest.raises(UserError, match=r"model.head: 'last' matches no parameter"):
        models.parameter_groups(model, Mlp(head=("last",)))
    with pytest.raises(UserError, match="all parameters are frozen"):
        models.parameter_groups(model, Mlp(freeze=("*",)))


def test_a_model_without_linear_layers_needs_a_named_head():
    with pytest.raises(UserError, match="no Linear layer that could be its head"):
        models.parameter_groups(nn.Sequential(nn.Conv2d(1, 2, 3)), Mlp(backbone_lr=0.5))


def test_init_from_takes_what_fits():
    old, new = models.build(Mlp(), (4,), 5), models.build(Mlp(), (4,), 3)
    untouched = layer(new, "out").weight.clone()
    loaded, fresh = models.init_from(new, old.state_dict(), head=(), fresh_head=False)
    assert loaded == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert fresh == ["out.weight", "out.bias"]
    assert torch.equal(layer(new, "fc2").weight, layer(old, "fc2").weight)
    assert torch.equal(layer(new, "out").weight, untouched)


def test_init_from_with_a_fresh_head_of_the_same_shape():
    old, new = models.build(Mlp(), (4,), 3), models.build(Mlp(), (4,), 3)
    _, fresh = models.init_from(new, old.state_dict(), head=(), fresh_head=True)
    assert fresh == ["out.weight", "out.bias"]
    assert not torch.equal(layer(new, "out").weight, layer(old, "out").weight)
    _, fresh = models.init_from(new, old.state_dict(), head=("fc2", "out"), fresh_head=True)
    assert fresh == ["fc2.weight", "fc2.bias", "out.weight", "out.bias"]


def test_init_from_another_model():
    state = models.build(Cnn(), MNIST, 10).state_dict()
    with pytest.raises(UserError, match=r"no weight of that run fits this model: it has conv1.weight"):
        models.init_from(models.build(Mlp(), (4,), 3), state, head=(), fresh_head=False)


# --- knobs ---


def test_dropout_is_a_knob_even_where_it_starts_at_zero():
    model = models.build(Mlp(hidden=(50, 50)), (4,), 3)
    original = models.dropouts(model)
    assert original == {"drop1": 0.0, "drop2": 0.0}
    x, random = torch.randn(8, 4), torch.get_rng_state()
    assert torch.equal(model(x), model(x))
    assert torch.equal(torch.get_rng_state(), random)
    models.set_dropout(model, 0.5, original)
    assert not torch.equal(model(x), model(x))
    models.set_dropout(model, None, original)
    assert models.dropouts(model) == original


def test_channels_last_is_for_convolutions_on_images():
    assert models.uses_channels_last(models.build(Cnn(), MNIST, 10), MNIST)
    assert not models.uses_channels_last(models.build(Mlp(), MNIST, 10), MNIST)


def test_frozen_batch_norms_keep_their_statistics():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.BatchNorm1d(4))
    model[1].requires_grad_(False)
    models.to_training_mode(model)
    model(torch.randn(8, 3) + 5)
    assert torch.equal(model[1].running_mean, torch.zeros(4))
    assert not torch.equal(model[3].running_mean, torch.zeros(4))
    assert model.training
