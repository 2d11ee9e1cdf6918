"""Parameters of a schedule or an optimizer as fields of a form: from msgspec's structs to text and back."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, Literal

import msgspec
from msgspec import Struct, inspect

from trainconsole.engine.config.parsing import variants, without_none
from trainconsole.engine.config.types import Named, defaults

Kind = Literal["number", "whole", "numbers", "choice", "word", "table"]

LEFT_OUT = {
    "T_max": "the rest of the run",
    "total_iters": "the rest of the run",
    "total_steps": "the rest of the run",
    "max_lr": "the rate now",
    "metric": "the run's own",
}
"""What a parameter that is left out, and has no number for that, amounts to."""
UNBOUNDED = 1e18
"""A limit beyond it is no news."""
HINTS = {"metric": "loss, accuracy, mae, ...", "target": "package.module:Class"}
LAST = ("unit", "warmup", "warmup_factor")
"""What every schedule has comes after what only this one has."""


@dataclass(frozen=True)
class Field:
    """One parameter: `default` is its text, "" where it must be given; `choices` all that it can be, if few.

    `note` stands beside the field, `hint` says what may be typed.
    """

    name: str
    kind: Kind
    default: str
    hint: str
    choices: tuple[str, ...] = ()
    required: bool = False
    note: str = ""

    @property
    def placeholder(self) -> str:
        return "needed" if self.required else self.default


def about(union: Any, name: str) -> str:
    """What the variant `name` of a tagged union is, on one line: the docstring of its struct."""
    return cleandoc(variants(union)[name].__doc__ or "").replace("`", "").replace("\n", " ")


def fields_of(struct: type[Struct]) -> tuple[Field, ...]:
    """A field for each parameter, a schedule's own first."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    found = [_field(field) for field in info.fields]
    return tuple(sorted(found, key=_place))


def texts(choice: Named) -> dict[str, str]:
    """What a form shows of a choice in force: its parameters but for those at their defaults."""
    usual = defaults(type(choice))
    given = {key: value for key, value in without_none(choice).items() if key in usual}
    return {key: shown(value) for key, value in given.items() if getattr(choice, key) != usual[key]}


def shown(value: Any) -> str:
    """A value as one types it: 0.001, 1e-08, true, 0.9, 0.999."""
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value) if isinstance(value, dict) else str(value)


def words(fields: Iterable[Field], given: Mapping[str, str]) -> str:
    """' lr=0.01 betas=[0.9,0.999]' of the texts that are not empty, as the grammar has it."""
    pairs = ((field, given.get(field.name, "").strip()) for field in fields)
    return "".join(f" {field.name}={_written(field, text)}" for field, text in pairs if text)


def blamed(problem: str, names: Iterable[str]) -> tuple[str, str]:
    """The field that a grammar's refusal is about, and the rest of its text; ("", text) if about none."""
    known = tuple(names)
    path, colon, rest = problem.partition(": ")
    name, *inner = re.split(r"[.\[]", path.partition(".")[2], maxsplit=1)
    if colon and name in known:
        part = re.match(r"\d+(?=\])", inner[0]) if inner else None
        return name, f"number {int(part[0]) + 1} {rest}" if part else rest
    text = rest if colon else problem
    return next((word for word in re.findall(r"\w+", text) if word in known), ""), text


def _place(field: Field) -> int:
    if field.name in LAST:
        return 1 + LAST.index(field.name)
    return -1 if field.required else 0


def _field(field: inspect.Field) -> Field:
    kind, choices, hint = _described(field.type)
    left_out = LEFT_OUT.get(field.name, "none") if field.default is None else shown(field.default)
    default = "" if field.required or field.default is msgspec.NODEFAULT else left_out
    return Field(field.encode_name, kind, default, HINTS.get(field.name, hint), choices, field.required)


def _described(kind: inspect.Type) -> tuple[Kind, tuple[str, ...], str]:
    """The kind of field for a type, its choices, and what may be typed, in a few words."""
    match kind:
        case inspect.UnionType():
            return _described(next(part for part in kind.types if not isinstance(part, inspect.NoneType)))
        case inspect.LiteralType():
            return "choice", tuple(str(value) for value in kind.values), "left and right choose"
        case inspect.BoolType():
            return "choice", ("false", "true"), "left and right choose"
        case inspect.IntType():
            return "whole", (), ", ".join(["a whole number", *_limits(kind)])
        case inspect.FloatType():
            return "number", (), ", ".join(["a number", *_limits(kind)])
        case inspect.VarTupleType():
            each = _limits(kind.item_type) if isinstance(kind.item_type, inspect.IntType) else ()
            return "numbers", (), ", ".join(["numbers, a comma between two", *each])
        case inspect.TupleType():
            return "numbers", (), f"{len(kind.item_types)} numbers, a comma between two"
        case inspect.DictType():
            return "table", (), "as in {key=1, other=2}"
        case _:
            return "word", (), "a name"


def _limits(kind: inspect.IntType | inspect.FloatType) -> tuple[str, ...]:
    limits = (("above", kind.gt), ("from", kind.ge), ("below", kind.lt), ("up to", kind.le))
    return tuple(f"{word} {limit:g}" for word, limit in limits if limit is not None and limit < UNBOUNDED)


def _written(field: Field, text: str) -> str:
    """The text as TOML, where it is the number or the list that it looks like; without blanks."""
    if field.kind == "numbers":
        items = re.split(r"[,\s]+", text.removeprefix("[").removesuffix("]"))
        return f"[{','.join(_number(item) for item in items if item)}]"
    text = "".join(text.split())
    return _number(text) if field.kind in ("number", "whole") else text


def _number(text: str) -> str:
    """.5 and 1.e-3, which TOML does not know, as numbers that it knows; anything else as it is."""
    try:
        tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        try:
            return repr(float(text))
        except ValueError:
            return text
    return text
