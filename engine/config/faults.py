"""What is wrong with a value that msgspec refuses: the place, and why, in our words. No torch."""

import types
from collections.abc import Iterator, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Struct, inspect
from msgspec.structs import fields

WORDS: dict[type, str] = {
    inspect.StructType: "a table",
    inspect.DictType: "a table",
    inspect.ListType: "a list",
    inspect.VarTupleType: "a list",
    inspect.TupleType: "a list",
    inspect.StrType: "text",
    inspect.LiteralType: "text",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
}
BOUNDS = (("gt", ">", gt), ("ge", ">=", ge), ("lt", "<", lt), ("le", "<=", le))
Fault = tuple[str, str]


def fault(raw: Any, kind: Any, where: str = "") -> Fault | None:
    """(dotted path, problem) of the first part of `raw` that is none of `kind`; None where each is one.

    `kind` is a struct, a union or a type of the standard library, annotated with msgspec.Meta or not. The
    tags of unions are known to be right.
    """
    if isinstance(raw, dict) and (struct := chosen(raw, kind)) is not None:
        return next((found for found in _in_fields(raw, struct, where) if found), None)
    if _converts(raw, kind):
        return None
    if isinstance(raw, list | tuple) and (item := _item(kind)) is not None:
        inner = (fault(value, item, f"{where}[{index}]") for index, value in enumerate(raw))
        if found := next(filter(None, inner), None):
            return found
    return where, _problem(raw, kind)


def chosen(raw: Mapping[str, Any], kind: Any) -> type[Struct] | None:
    """The struct of `kind` that `raw` is to be: the only one, or the one with its tag."""
    known = structs(kind)
    if len(known) == 1:
        return known[0]
    return next((one for one in known if one.__struct_config__.tag == raw.get("name")), None)


def structs(kind: Any) -> list[type[Struct]]:
    """Those that `kind`, which may be a union or annotated, is made of."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return [kind]
    is_sum = get_origin(kind) in (Union, types.UnionType, Annotated)
    return [struct for part in get_args(kind) for struct in structs(part)] if is_sum else []


def _in_fields(raw: Mapping[str, Any], struct: type[Struct], where: str) -> Iterator[Fault | None]:
    for field in fields(struct):
        place = dotted(where, field.encode_name)
        if field.encode_name in raw:
            yield fault(raw[field.encode_name], field.type, place)
        elif field.required:
            yield place, "missing"


def dotted(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _converts(raw: Any, kind: Any) -> bool:
    try:
        msgspec.convert(raw, kind)
    except msgspec.ValidationError:
        return False
    return True


def _item(kind: Any) -> Any:
    """The type of an item, where all of a list are of one; None else."""
    if get_origin(kind) in (list, tuple):
        return get_args(kind)[0]
    return next((item for part in get_args(kind) if (item := _item(part)) is not None), None)


def _problem(raw: Any, kind: Any) -> str:
    parts = list(alternatives(inspect.type_info(kind)))
    for part in parts:
        if problem := _out_of_bounds(raw, part):
            return problem
    return f"expected {' or '.join(dict.fromkeys(WORDS[type(part)] for part in parts))}, got {raw!r}"


def alternatives(info: inspect.Type) -> Iterator[inspect.Type]:
    """What a union is of, without None and what `Annotated` adds."""
    match info:
        case inspect.Metadata():
            yield from alternatives(info.type)
        case inspect.UnionType():
            for part in info.types:
                yield from alternatives(part)
        case inspect.NoneType():
            return
        case _:
            yield info


def _out_of_bounds(raw: Any, info: inspect.Type) -> str:
    """What `raw`, of the right type, breaks; "" where it is of another type."""
    match info:
        case inspect.IntType() if type(raw) is int:
            return _bound(raw, info, int)
        case inspect.FloatType() if type(raw) in (int, float):
            return _bound(raw, info, float)
        case inspect.StrType() if isinstance(raw, str) and info.pattern:
            return f"'{raw}' is no import path, as in 'package.module:Name'"
        case inspect.StrType() if isinstance(raw, str):
            return "must not be empty"
        case inspect.TupleType() if isinstance(raw, list | tuple) and len(raw) != len(info.item_types):
            return _needed(len(info.item_types), raw)
        case inspect.VarTupleType() | inspect.ListType() if isinstance(raw, list | tuple):
            return _needed(info.min_length or 0, raw, "at least ")
    return ""


def _bound(raw: float, info: inspect.IntType | inspect.FloatType, number: type) -> str:
    for name, sign, holds in BOUNDS:
        bound = getattr(info, name)
        if bound is not None and not holds(raw, bound):
            return f"must be {sign} {number(bound)}, got {raw!r}"
    return ""


def _needed(count: int, raw: Sequence[Any], least: str = "") -> str:
    return f"{least}{count} {'number is' if count == 1 else 'numbers are'} needed, got {len(raw)}"
