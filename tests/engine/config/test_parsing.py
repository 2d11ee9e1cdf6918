from typing import Any

import pytest

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import Digits
from trainconsole.engine.config.models import Cnn, ImportedModel
from trainconsole.engine.config.optimizers import Adam, Sgd
from trainconsole.engine.config.parsing import decode, encode, override
from trainconsole.engine.config.run import Regularisation, RunConfig
from trainconsole.engine.config.schedules import OneCycle
from trainconsole.engine.config.toml import parse

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"optimizer": {"name": "adm"}}, "x.toml: optimizer.name: unknown 'adm', did you mean 'adam'?"),
    ({"optimizer": {"momentum": 0.9}}, "optimizer.name: missing; one of: adadelta,"),
    ({"data": {"path": "x"}}, "data.name: missing"),
    ({"model": {"batch_norm": "yes"}}, "model.batch_norm: expected true or false, got 'yes'"),
    ({"optimizer": {"name": 3}}, "optimizer.name: expected text, got 3"),
    ({"optimizer": 3}, "optimizer: expected a table, got 3"),
    ({"optimizer": {"name": "adam", "lr": -1}}, "optimizer.lr: must be > 0.0, got -1"),
    ({"optimizer": {"name": "adam", "lr": 0}}, "optimizer.lr: must be > 0.0, got 0"),
    ({"optimizer": {"name": "adam", "lr": 101}}, "optimizer.lr: must be <= 100.0, got 101"),
    ({"optimizer": {"name": "adam", "lr": float("nan")}}, "optimizer.lr: must be > 0.0, got nan"),
    ({"optimizer": {"name": "adam", "lr": "fast"}}, "optimizer.lr: expected a number, got 'fast'"),
    ({"optimizer": {"name": "adam", "lrr": 1}}, "optimizer.lrr: unknown key, did you mean 'lr'?"),
    ({"optimizer": {"name": "adam", "betas": [0.9]}}, "optimizer.betas"),
    ({"optimizer": {"name": "adam", "weight_decay": 1}}, "it is regularisation.weight_decay"),
    ({"optimizer": {"name": "sgd", "nesterov": True}}, "optimizer: nesterov needs momentum"),
    ({"epoch": 3}, "epoch: unknown key, did you mean 'epochs'?"),
    ({"epochs": 0}, "epochs: must be >= 1, got 0"),
    ({"epochs": 1.5}, "epochs: expected a whole number, got 1.5"),
    ({"epochs": True}, "epochs: expected a whole number, got True"),
    ({"batch_size": 0}, "batch_size: must be >= 1, got 0"),
    ({"seed": -1}, "seed: must be >= 0, got -1"),
    ({"precision": "float8"}, "precision: unknown 'float8', did you mean 'float"),
    ({"data": {"name": "minst"}}, "data.name: unknown 'minst', did you mean 'mnist'?"),
    (
        {"data": {"name": "mnist", "scaling": "mimax"}},
        "data.scaling: unknown 'mimax', did you mean 'minmax'?",
    ),
    ({"data": {"name": "digits", "split": {"test": 1.0}}}, "data.split.test: must be < 1.0, got 1.0"),
    ({"data": {"name": "a::b"}}, "data.name: 'a::b' is no import path"),
    ({"model": {"name": "mlp", "hidden": [64, 0]}}, "model.hidden[1]: must be >= 1, got 0"),
    ({"model": {"name": "mlp", "hidden": "64"}}, "model.hidden: expected a list, got '64'"),
    ({"model": {"name": "cnn", "channels": []}}, "model.channels"),
    ({"schedule": {"name": "multistep"}}, "schedule.milestones: missing"),
    ({"schedule": {"name": "step", "step_size": 0}}, "schedule.step_size: must be >= 1, got 0"),
    ({"regularisation": {"clip": {"norm": -1}}}, "regularisation.clip.norm: must be > 0.0, got -1"),
    ({"early_stopping": {"patience": 0}}, "early_stopping.patience: must be >= 1, got 0"),
    ({"early_stopping": {"metric": "acuracy"}}, "unknown metric 'acuracy', did you mean 'accuracy'?"),
    ({"evaluation": {"metric": "f1"}}, "unknown metric 'f1'"),
    ({"commands": [{"when": "epoch 1"}]}, "commands[0].what: missing"),
    ({"commands": {"when": "epoch 1"}}, "commands: expected a list"),
]


@pytest.mark.parametrize(("raw", "text"), WRONG, ids=[text for _, text in WRONG])
def test_what_is_wrong_is_named_with_its_path(raw: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError) as refused:
        decode(raw, "x.toml")
    assert text in str(refused.value)
    assert str(refused.value).startswith("x.toml: ")


def test_broken_toml_names_file_and_line() -> None:
    with pytest.raises(UserError, match=r"x\.toml: not valid TOML.*line 2"):
        parse("a = 1\nb = = 2\n", "x.toml")


def test_an_empty_preset_is_the_defaults() -> None:
    assert decode({}) == RunConfig()


def test_encoding_and_decoding_gives_the_same_config() -> None:
    config = RunConfig(
        data=Digits(classes=(1, 2)),
        model=ImportedModel(target="my.nets:Net", args={"width": 3, "deep": {"a": [1, 2]}}),
        optimizer=Sgd(lr=0.1 + 0.2, momentum=0.9),
        schedule=OneCycle(max_lr=1e-2),
        regularisation=Regularisation(dropout=0.5),
    )
    assert decode(parse(encode(config), "again")) == config


def test_set_overrides_and_is_validated() -> None:
    config = override(RunConfig(), ["optimizer.lr=0.5", "model.hidden=[8, 4]", "early_stopping.patience=3"])
    assert config.optimizer == Adam(lr=0.5)
    assert config.early_stopping.patience == 3
    with pytest.raises(UserError, match=r"--set: optimizer\.name: unknown 'sg', did you mean 'sgd'"):
        override(config, ["optimizer.name=sg"])


def test_a_new_name_starts_its_section_anew_whatever_the_order() -> None:
    config = decode({"optimizer": {"name": "adam", "lr": 0.5, "betas": [0.5, 0.6]}})
    assert override(config, ["optimizer.momentum=0.9", "optimizer.name=sgd"]).optimizer == Sgd(momentum=0.9)
    assert override(config, ["optimizer.name=adam"]).optimizer == config.optimizer


def test_none_unsets() -> None:
    config = override(RunConfig(), ["regularisation.clip.norm=1.0"])
    assert override(config, ["regularisation.clip.norm=none"]) == RunConfig()


@pytest.mark.parametrize("text", ["epochs", "=3", "a..b=3", "optimizer.lr"])
def test_set_wants_key_and_value(text: str) -> None:
    with pytest.raises(UserError, match="expected KEY=VALUE"):
        override(RunConfig(), [text])


def test_set_into_a_value_is_refused() -> None:
    with pytest.raises(UserError, match="epochs has no parts"):
        override(RunConfig(), ["epochs.most=3"])


def test_own_code_is_named_by_a_colon() -> None:
    config = decode({"model": {"name": "my_pkg.nets:Net", "args": {"width": 8}}})
    assert config.model == ImportedModel(target="my_pkg.nets:Net", args={"width": 8})


def test_names_may_have_hyphens() -> None:
    assert decode({"schedule": {"name": "one-cycle"}}).schedule == OneCycle()
    assert isinstance(decode({"model": {"name": "CNN"}}).model, Cnn)


OWN = {"data": {"name": "an:load", "args": {"name": "small", "rows": 40, "path": "none"}}}


def test_only_the_name_of_a_section_starts_it_afresh() -> None:
    args = override(decode(OWN), ["data.args.name=large"]).data.args
    assert args == {"name": "large", "rows": 40, "path": "none"}
    assert override(decode(OWN), ["data.args.name=large", "data.name=an:other"]).data.args == {
        "name": "large"
    }
    assert override(decode(OWN), ["data.name=an:load"]) == decode(OWN)
    tuned = decode({"optimizer": {"name": "sgd", "lr": 0.5}})
    assert override(tuned, ["optimizer.name=SGD"]) == tuned
    assert override(tuned, ["optimizer.name=adam"]).optimizer == Adam()


def test_none_unsets_and_in_quotes_is_a_word() -> None:
    assert "path" not in override(decode(OWN), ["data.args.path=none"]).data.args
    assert override(decode(OWN), ['data.args.rows="none"']).data.args["rows"] == "none"
    assert override(decode({"data": {"scaling": "minmax"}}), ["data.scaling=none"]).data.scaling == "none"
    assert override(decode({}), ["early_stopping.patience=3", "seed=7", "threads=None"]).threads is None


@pytest.mark.parametrize("value", ["true", "True"])
def test_true_as_python_has_it_is_true(value: str) -> None:
    assert override(decode({}), [f"model.batch_norm={value}"]).model.batch_norm is True


def test_a_section_without_a_name_is_of_the_default_kind() -> None:
    assert decode({"optimizer": {"lr": 0.5}}).optimizer == Adam(lr=0.5)
    assert decode({"model": {"dropout": 0.5}}).model.dropout == 0.5
    assert decode({"optimizer": {}}).optimizer == Adam()


def test_toml_of_windows_and_of_python() -> None:
    assert parse("\ufeffepochs = 3\n", "x.toml") == {"epochs": 3}
    for text, word in (
        ("a = True", "true for True"),
        ("\nb = [1, False]", "false for False"),
        ("c = None", "None"),
    ):
        with pytest.raises(UserError, match=word):
            parse(text, "x.toml")
    with pytest.raises(UserError) as error:
        parse("a = = 1 # True", "x.toml")
    assert "TOML has" not in str(error.value)
