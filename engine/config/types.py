"""What the sections of a preset are made of: bounded numbers and strict, immutable structs. No torch."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import fields

Name = Annotated[str, Meta(min_length=1)]
Rate = Annotated[float, Meta(gt=0, le=100)]
Positive = Annotated[float, Meta(gt=0, lt=1e30)]
NonNegative = Annotated[float, Meta(ge=0, lt=1e30)]
Fraction = Annotated[float, Meta(ge=0, lt=1)]
Unit = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Size = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
ImportPath = Annotated[str, Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section of a preset: immutable, given by keyword, unknown keys refused."""


class Named(Part, frozen=True, tag_field="name", kw_only=True, forbid_unknown_fields=True):
    """A section whose `name` says which struct it is."""


@lru_cache
def defaults(kind: type[Struct]) -> Mapping[str, Any]:
    """Default values by name; kept, since msgspec reads the annotations anew each time."""
    return {field.encode_name: field.default for field in fields(kind)}
