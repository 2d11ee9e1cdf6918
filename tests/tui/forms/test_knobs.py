import pytest
from support.statuses import IN_FORCE

from trainconsole.engine.config.knobs import KNOBS
from trainconsole.engine.protocol.grammar import parse
from trainconsole.tui.forms.knobs import changed, knob_fields, knob_problem, knob_texts

TEXTS = {
    "weight_decay": "0.0001",
    "l1": "off",
    "clip.norm": "1",
    "clip.value": "off",
    "dropout": "0.25",
    "label_smoothing": "off",
    "augment": "off",
    "patience": "5",
}


def test_what_is_in_force_as_one_types_it():
    assert knob_texts(IN_FORCE) == TEXTS
    assert set(knob_texts({}).values()) == {""}


def test_every_knob_has_a_field_and_says_what_it_does():
    fields = knob_fields(IN_FORCE)
    assert [field.name for field in fields] == list(KNOBS)
    assert all(field.note and field.hint for field in fields)


@pytest.mark.parametrize(
    "same",
    [
        {},
        TEXTS,
        dict.fromkeys(KNOBS, ""),
        {"weight_decay": "1e-4", "clip.norm": "1.0", "l1": "0", "augment": "none", "patience": " 5 "},
    ],
)
def test_what_means_the_same_is_no_change(same):
    assert changed(IN_FORCE, same) == ()


def test_each_change_is_a_command_of_its_own():
    typed = {
        **TEXTS,
        "weight_decay": "off",
        "clip.norm": "",
        "dropout": "0",
        "augment": "on",
        "patience": "3",
    }
    assert changed(IN_FORCE, typed) == (
        ("weight_decay", "set weight_decay off"),
        ("dropout", "set dropout 0"),
        ("augment", "set augment on"),
        ("patience", "set patience 3"),
    )
    assert all(parse(command) for _, command in changed(IN_FORCE, typed))


def test_while_nothing_is_known_anything_typed_is_a_change():
    assert changed({}, {"l1": "off"}) == (("l1", "set l1 off"),)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("set weight_decay -1", "must be >= 0.0, got -1.0"),
        ("set clip.norm 0", "must be > 0.0, got 0.0"),
        ("set dropout 1", "must be < 1.0, got 1.0"),
        ("set augment 1.5", "must be <= 1.0, got 1.5"),
        ("set patience 0", "must be >= 1, got 0"),
        ("set patience 2.5", "expected a whole number, got 2.5"),
        ("set patience 3", ""),
        ("set patience off", ""),
        ("set clip.value 0.5", ""),
        ("set weight_decay nan", "must be >= 0.0, got nan"),
    ],
)
def test_ranges_are_those_of_a_preset(command, problem):
    assert knob_problem(parse(command)) == problem
