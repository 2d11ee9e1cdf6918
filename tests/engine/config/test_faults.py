"""What msgspec refuses is found again, and told in our words; what it takes is left alone."""

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta
from msgspec.inspect import type_info

from trainconsole.engine.config.faults import WORDS, alternatives, fault, structs
from trainconsole.engine.config.optimizers import Adam, AnyOptimizer
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.config.schedules import AnySchedule
from trainconsole.engine.config.types import ImportPath, Name

KINDS: dict[str, Any] = {
    "rate": Annotated[float, Meta(gt=0, le=100)],
    "share": Annotated[float, Meta(ge=0, lt=1)] | None,
    "count": Annotated[int, Meta(ge=1, le=9)],
    "several": tuple[Annotated[int, Meta(ge=1)], ...],
    "some": Annotated[tuple[float, ...], Meta(min_length=1)],
    "pair": tuple[float, float],
    "list": list[int] | None,
    "switch": bool,
    "word": Name | None,
    "path": ImportPath,
    "either": bool | float,
    "table": dict[str, Any],
    "optimizer": AnyOptimizer,
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 200) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize("name", KINDS)
@given(value=VALUES)
def test_it_finds_a_fault_where_msgspec_does(name: str, value: Any) -> None:
    if name == "optimizer":
        value = {"name": "adam", "lr": value}
    try:
        msgspec.convert(value, KINDS[name])
    except msgspec.ValidationError:
        found = fault(value, KINDS[name], "place")
        assert found is not None
        assert found[0].startswith("place")
        assert any(sign in found[1] for sign in ("must ", "expected ", "needed", "import path"))
    else:
        assert fault(value, KINDS[name], "place") is None


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("rate", 0, "must be > 0.0, got 0"),
        ("rate", float("nan"), "must be > 0.0, got nan"),
        ("rate", 101, "must be <= 100.0, got 101"),
        ("share", 1.0, "must be < 1.0, got 1.0"),
        ("count", 0, "must be >= 1, got 0"),
        ("count", True, "expected a whole number, got True"),
        ("switch", 1, "expected true or false, got 1"),
        ("either", "x", "expected true or false or a number, got 'x'"),
        ("list", "x", "expected a list, got 'x'"),
        ("pair", [1.0], "2 numbers are needed, got 1"),
        ("some", [], "at least 1 number is needed, got 0"),
        ("word", "", "must not be empty"),
        ("path", "a::b", "'a::b' is no import path, as in 'package.module:Name'"),
        ("table", 3, "expected a table, got 3"),
    ],
)
def test_what_it_says(kind: str, value: Any, says: str) -> None:
    assert fault(value, KINDS[kind], "x") == ("x", says)


def test_the_place_is_told_to_the_item() -> None:
    assert fault([3, 0], KINDS["several"], "model.hidden") == ("model.hidden[1]", "must be >= 1, got 0")
    found = fault({"name": "adam", "betas": [0.9, 2]}, AnyOptimizer, "optimizer")
    assert found == ("optimizer.betas[1]", "must be < 1.0, got 2")
    assert fault({"lr": -1.0}, Adam) == ("lr", "must be > 0.0, got -1.0")


def test_every_kind_that_a_preset_or_a_command_has_is_in_words() -> None:
    kinds, seen = [RunConfig, AnyOptimizer, AnySchedule], set()
    while kinds:
        for struct in structs(kinds.pop()):
            types = [field.type for field in msgspec.structs.fields(struct)] if struct not in seen else []
            seen.add(struct)
            kinds += types
            for kind in types:
                assert {type(part) for part in alternatives(type_info(kind))} <= WORDS.keys(), (struct, kind)
    assert len(seen) > 40
