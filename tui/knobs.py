"""Regularisation as a form: what is in force, what each knob does, and the commands for what was changed."""

from collections.abc import Mapping
from typing import Any

from trainconsole.engine.config import EarlyStopping, Regularisation
from trainconsole.engine.errors import UserError
from trainconsole.engine.grammar import KNOBS
from trainconsole.engine.messages import SetKnob
from trainconsole.engine.reading import decode_part
from trainconsole.tui.fields import Field, shown

OFF_AT_ZERO = ("weight_decay", "l1", "label_smoothing", "augment")
NOTES = {
    "weight_decay": ("pulls weights towards 0", "a number from 0, or off"),
    "l1": ("pulls weights to exactly 0", "a number from 0, or off"),
    "clip.norm": ("longest gradient", "a number above 0, or off"),
    "clip.value": ("largest part of a gradient", "a number above 0, or off"),
    "dropout": ("share of activations dropped", "a number from 0, below 1; off: as the model has it"),
    "label_smoothing": ("share of a label given away", "a number from 0, below 1, or off"),
    "augment": ("how much images are changed", "strength: a number from 0 to 1, on, or off"),
    "patience": (
        "epochs without improvement",
        "a whole number from 1: then it stops by itself; or off",
    ),
}


def knob_fields(in_force: Mapping[str, Any]) -> tuple[Field, ...]:
    """A field for each knob, its present value as what an empty field amounts to."""
    values = knob_texts(in_force)
    return tuple(Field(name, "number", values[name], NOTES[name][1], note=NOTES[name][0]) for name in KNOBS)


def knob_texts(in_force: Mapping[str, Any]) -> dict[str, str]:
    """The present value of each knob as one types it, "" while it is not known."""
    return {name: _shown(name, in_force[name]) if name in in_force else "" for name in KNOBS}


def changed(in_force: Mapping[str, Any], given: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(knob, command) for each knob whose text says something else than what is in force."""
    present = knob_texts(in_force)
    texts = ((name, given.get(name, "").strip() or present[name]) for name in KNOBS)
    return tuple((name, f"set {name} {text}") for name, text in texts if _differs(name, text, present[name]))


def knob_problem(command: SetKnob) -> str:
    """Why the value is out of range, in the words of a preset; "" where it is not."""
    value = command.value
    if value is None:
        return ""
    if command.knob == "patience":
        raw, kind = {"patience": int(value) if value.is_integer() else value}, EarlyStopping
        return _refusal(raw, kind)
    section, _, key = command.knob.rpartition(".")
    return _refusal({section: {key: value}} if section else {key: value}, Regularisation)


def _refusal(raw: dict[str, Any], kind: type) -> str:
    try:
        decode_part(raw, kind)
    except UserError as error:
        return str(error).partition(": ")[2]
    return ""


def _shown(name: str, value: Any) -> str:
    if value is None or (name in OFF_AT_ZERO and not value):
        return "off"
    return shown(value)


def _differs(name: str, text: str, present: str) -> bool:
    return _meaning(name, text) != _meaning(name, present)


def _meaning(name: str, text: str) -> float | str:
    """Texts of one meaning alike: 0 is off where it switches off, 1e-4 is 0.0001."""
    word = {"none": "off", "on": "1" if name == "augment" else "on"}.get(text, text)
    try:
        value = float(word)
    except ValueError:
        return word
    return "off" if name in OFF_AT_ZERO and value == 0 else value
