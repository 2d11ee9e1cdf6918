import sys

import pytest
import torch
from torch import nn

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.models import Cnn, ImportedModel, Mlp, TorchvisionModel
from trainconsole.engine.models import build, dropout
from trainconsole.engine.models.modes import to_training_mode

MNIST = (1, 28, 28)


def layer(model: nn.Module, name: str) -> nn.Linear:
    found = model.get_submodule(name)
    assert isinstance(found, nn.Linear)
    return found


def test_unknown_names_get_the_nearest():
    with pytest.raises(UserError, match=r"architecture: unknown 'resnet81', did you mean .*'resnet18'"):
        build.build(TorchvisionModel(architecture="resnet81"), (3, 32, 32), 10)
    with pytest.raises(UserError, match=r"weights: unknown 'IMAGENET_V1', did you mean 'IMAGENET1K_V1'"):
        build.build(TorchvisionModel(architecture="resnet18", weights="IMAGENET_V1"), (3, 32, 32), 10)


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
    model = build.build(config, MNIST, 5)
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
        build.build(TorchvisionModel(architecture="resnet18", weights="DEFAULT"), (3, 32, 32), 10)
    assert len(str(caught.value).splitlines()) <= 3


def test_auxiliary_heads_are_gone():
    model = build.build(TorchvisionModel(architecture="googlenet"), (3, 64, 64), 4)
    assert model.train()(torch.randn(2, 3, 64, 64)).shape == (2, 4)


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
    assert build.build(config, (4,), 7)(torch.zeros(2, 4)).shape == (2, 7)


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
        build.build(ImportedModel(target=f"{own}:{name}"), (4,), 2)


def test_one_group_without_a_backbone_rate():
    model = build.build(Mlp(freeze=("fc1",)), (4,), 3)
    (group,) = build.parameter_groups(model, Mlp(freeze=("fc1",)))
    assert (group["name"], group["lr_factor"]) == ("all", 1.0)
    assert len(group["params"]) == 4
    assert build.parameter_count(model) == 2_499 - 320
    assert not layer(model, "fc1").bias.requires_grad


def test_head_and_backbone():
    config = Mlp(freeze=("fc1.*",), backbone_lr=0.1)
    model = build.build(config, (4,), 3)
    head, backbone = build.parameter_groups(model, config)
    assert (head["name"], head["lr_factor"]) == ("head", 1.0)
    assert {id(p) for p in head["params"]} == {id(p) for p in layer(model, "out").parameters()}
    assert (backbone["name"], backbone["lr_factor"]) == ("backbone", 0.1)
    assert {id(p) for p in backbone["params"]} == {id(p) for p in layer(model, "fc2").parameters()}


def test_patterns_that_match_nothing_and_all():
    model = build.build(Mlp(), (4,), 3)
    with pytest.raises(UserError, match=r"model.freeze: 'fc3' matches no parameter; nearest: fc"):
        build.parameter_groups(model, Mlp(freeze=("fc3",)))
    with pytest.raises(UserError, match=r"model.head: 'last' matches no parameter"):
        build.parameter_groups(model, Mlp(head=("last",)))
    with pytest.raises(UserError, match="all parameters are frozen"):
        build.parameter_groups(model, Mlp(freeze=("*",)))


def test_a_model_without_linear_layers_needs_a_named_head():
    with pytest.raises(UserError, match="no Linear layer that could be its head"):
        build.parameter_groups(nn.Sequential(nn.Conv2d(1, 2, 3)), Mlp(backbone_lr=0.5))


def test_init_from_takes_what_fits():
    old, new = build.build(Mlp(), (4,), 5), build.build(Mlp(), (4,), 3)
    untouched = layer(new, "out").weight.clone()
    loaded, fresh = build.init_from(new, old.state_dict(), head=(), fresh_head=False)
    assert loaded == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert fresh == ["out.weight", "out.bias"]
    assert torch.equal(layer(new, "fc2").weight, layer(old, "fc2").weight)
    assert torch.equal(layer(new, "out").weight, untouched)


def test_init_from_with_a_fresh_head_of_the_same_shape():
    old, new = build.build(Mlp(), (4,), 3), build.build(Mlp(), (4,), 3)
    _, fresh = build.init_from(new, old.state_dict(), head=(), fresh_head=True)
    assert fresh == ["out.weight", "out.bias"]
    assert not torch.equal(layer(new, "out").weight, layer(old, "out").weight)
    _, fresh = build.init_from(new, old.state_dict(), head=("fc2", "out"), fresh_head=True)
    assert fresh == ["fc2.weight", "fc2.bias", "out.weight", "out.bias"]


def test_init_from_another_model():
    state = build.build(Cnn(), MNIST, 10).state_dict()
    with pytest.raises(UserError, match=r"no weight of that run fits this model: it has conv1.weight"):
        build.init_from(build.build(Mlp(), (4,), 3), state, head=(), fresh_head=False)


def test_dropout_is_a_knob_even_where_it_starts_at_zero():
    model = build.build(Mlp(hidden=(50, 50)), (4,), 3)
    original = dropout.rates(model)
    assert original == {"drop1": 0.0, "drop2": 0.0}
    x, random = torch.randn(8, 4), torch.get_rng_state()
    assert torch.equal(model(x), model(x))
    assert torch.equal(torch.get_rng_state(), random)
    dropout.set_rates(model, 0.5, original)
    assert not torch.equal(model(x), model(x))
    dropout.set_rates(model, None, original)
    assert dropout.rates(model) == original


def test_channels_last_is_for_convolutions_on_images():
    assert build.uses_channels_last(build.build(Cnn(), MNIST, 10), MNIST)
    assert not build.uses_channels_last(build.build(Mlp(), MNIST, 10), MNIST)


def test_frozen_batch_norms_keep_their_statistics():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.BatchNorm1d(4))
    model[1].requires_grad_(False)
    to_training_mode(model)
    model(torch.randn(8, 3) + 5)
    assert torch.equal(model[1].running_mean, torch.zeros(4))
    assert not torch.equal(model[3].running_mean, torch.zeros(4))
    assert model.training
