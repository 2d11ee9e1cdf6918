import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainconsole.engine.config.optimizers import Adam, AnyOptimizer, RMSprop, Sgd
from trainconsole.engine.config.parsing import variants
from trainconsole.engine.config.schedules import (
    AnySchedule,
    Cosine,
    CosineRestarts,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    StepDecay,
)
from trainconsole.engine.protocol.grammar import GrammarError, parse
from trainconsole.tui.forms.fields import blamed, fields_of, shown, texts, words

EVERY = [*variants(AnySchedule).values(), *variants(AnyOptimizer).values()]


@pytest.mark.parametrize("struct", EVERY, ids=lambda struct: struct.__name__)
def test_there_is_a_field_for_each_parameter(struct):
    fields = fields_of(struct)
    assert {field.name for field in fields} == {f.encode_name for f in msgspec.structs.fields(struct)}
    assert all(field.hint for field in fields)
    assert [f.name for f in fields if f.required] == [
        f.encode_name for f in msgspec.structs.fields(struct) if f.required
    ]


def named(struct: type[msgspec.Struct], name: str):
    return next(field for field in fields_of(struct) if field.name == name)


def test_a_schedules_own_parameters_come_first():
    assert [f.name for f in fields_of(Cosine)] == ["T_max", "eta_min", "unit", "warmup", "warmup_factor"]
    assert next(f.name for f in fields_of(Adam)) == "lr"


def test_what_may_be_typed_is_said():
    assert named(StepDecay, "step_size").hint == "a whole number, from 1"
    assert named(Sgd, "momentum").hint == "a number, from 0, below 1"
    assert named(Sgd, "lr").hint == "a number, above 0, up to 100"
    assert named(Adam, "betas").hint == "2 numbers, a comma between two"
    assert named(Sgd, "nesterov").choices == ("false", "true")
    assert named(OneCycle, "anneal_strategy").choices == ("cos", "linear")


def test_an_empty_field_shows_what_it_amounts_to():
    assert named(StepDecay, "gamma").placeholder == "0.1"
    assert named(Cosine, "T_max").placeholder == "the rest of the run"
    assert named(Adam, "betas").placeholder == "0.9, 0.999"
    assert named(MultiStep, "milestones").placeholder == "needed"
    assert named(ReduceOnPlateau, "metric").placeholder == "the run's own"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-3, "0.001"), (1e-8, "1e-08"), (True, "true"), ((0.9, 0.999), "0.9, 0.999"), (10, "10"), ([3], "3")],
)
def test_values_as_one_types_them(value, text):
    assert shown(value) == text


CHOICES = [
    Cosine(),
    Cosine(T_max=100, warmup=20.0),
    MultiStep(milestones=(3, 5), gamma=0.5),
    CosineRestarts(T_0=3, T_mult=2, unit="step"),
    OneCycle(max_lr=0.1, anneal_strategy="linear"),
    ReduceOnPlateau(metric="loss", factor=0.5, threshold_mode="abs"),
    Adam(betas=(0.8, 0.99), amsgrad=True),
    RMSprop(lr=0.5, centered=True),
    Sgd(momentum=0.9, nesterov=True),
]


@pytest.mark.parametrize("choice", CHOICES, ids=repr)
def test_what_a_form_shows_is_the_choice(choice):
    verb = "optimizer" if isinstance(choice, Adam | RMSprop | Sgd) else "schedule"
    name = choice.__struct_config__.tag
    command = parse(f"{verb} {name}{words(fields_of(type(choice)), texts(choice))}")
    assert getattr(command, verb) == choice


@given(st.floats(1e-9, 99, allow_subnormal=False), st.floats(0, 0.99), st.booleans())
def test_any_number_is_read_as_it_was_typed(lr, momentum, nesterov):
    typed = {"lr": repr(lr), "momentum": f" {momentum} ", "nesterov": "true" if nesterov and momentum else ""}
    command = parse(f"optimizer sgd{words(fields_of(Sgd), typed)}")
    assert command.optimizer == Sgd(lr=lr, momentum=momentum, nesterov=bool(nesterov and momentum))


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ({}, ""),
        ({"lr": ""}, ""),
        ({"lr": "  "}, ""),
        ({"lr": ".5"}, " lr=0.5"),
        ({"lr": "5."}, " lr=5.0"),
        ({"lr": "1e-3"}, " lr=1e-3"),
        ({"lr": "fast"}, " lr=fast"),
        ({"betas": "0.8, 0.9"}, " betas=[0.8,0.9]"),
        ({"betas": "[0.8 .9]"}, " betas=[0.8,0.9]"),
        ({"betas": "0.8"}, " betas=[0.8]"),
        ({"amsgrad": "true", "lr": "1"}, " lr=1 amsgrad=true"),
    ],
)
def test_texts_become_words_of_the_grammar(typed, written):
    assert words(fields_of(Adam), typed) == written


@pytest.mark.parametrize(
    ("command", "field", "says"),
    [
        ("schedule step gamma=-1", "gamma", "must be > 0.0, got -1"),
        ("schedule step gamma=x", "gamma", "expected a number, got 'x'"),
        ("schedule step step_size=1.5", "step_size", "expected a whole number, got 1.5"),
        ("schedule multistep", "milestones", "missing"),
        ("schedule multistep milestones=[3,0]", "milestones", "number 2 must be >= 1, got 0"),
        ("schedule multistep milestones=[]", "milestones", "at least 1 number is needed"),
        ("schedule multistep milestones=[5,3]", "milestones", "milestones must rise"),
        ("schedule reduce_on_plateau metric=foo", "metric", "unknown metric 'foo'"),
        ("optimizer sgd nesterov=true", "nesterov", "nesterov needs momentum above 0"),
        ("optimizer adam betas=[0.9]", "betas", "2 numbers are needed, got 1"),
        ("optimizer adam betas=[0.9,2]", "betas", "number 2 must be < 1.0, got 2"),
        ("optimizer foo", "", "unknown 'foo'"),
    ],
)
def test_a_refusal_names_its_field(command, field, says):
    struct = (variants(AnySchedule) | variants(AnyOptimizer)).get(command.split()[1], Adam)
    with pytest.raises(GrammarError) as refusal:
        parse(command)
    name, text = blamed(str(refusal.value), [f.name for f in fields_of(struct)])
    assert name == field
    assert text.startswith(says)
