"""Regularisation as a form: what is in force, what each knob does, and the commands for what was changed."""

from collections.abc import Mapping
from typing import Any

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.knobs import KNOBS
from trainconsole.engine.config.parsing import decode_part
from trainconsole.engine.config.run import EarlyStopping, Regularisation
from trainconsole.engine.protocol.commands import SetKnob
from trainconsole.tui.forms.fields import Field, shown


def knob_fields(in_force: Mapping[str, Any]) -> tuple[Field, ...]:
    """A field for each knob, its present value as what an empty field amounts to."""
    values = knob_texts(in_force)
    return tuple(
        Field(knob.name, "number", values[knob.name], knob.takes, note=knob.brief)
        for knob in KNOBS.values()
        if knob.name in values
    )


def knob_texts(in_force: Mapping[str, Any]) -> dict[str, str]:
    """The present value of each knob as one types it, "" while none is known; a script's own loop has fewer
    of them."""
    there = [name for name in KNOBS if name in in_force] or KNOBS
    return {name: _shown(name, in_force[name]) if name in in_force else "" for name in there}


def changed(in_force: Mapping[str, Any], given: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(knob, command) for each knob whose text says something else than what is in force."""
    present = knob_texts(in_force)
    texts = ((name, given.get(name, "").strip() or present[name]) for name in present)
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
    if value is None or (KNOBS[name].off_at_zero and not value):
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
    return "off" if KNOBS[name].off_at_zero and value == 0 else value
