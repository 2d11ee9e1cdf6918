"""From TOML and KEY=VALUE to a validated RunConfig, and back. No torch.

Names are checked before msgspec converts, so that a wrong one is answered with the nearest right one.
"""

import difflib
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import tomli_w
from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import as_toml, harmless
from trainconsole.engine.config import faults
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.config.toml import UNSET, assigned

ALIASES = {
    "plateau": "reduce_on_plateau",
    "warm_restarts": "cosine_restarts",
    "onecycle": "one_cycle",
    "bce_with_logits": "bce",
    "mae": "l1",
    "fashionmnist": "fashion_mnist",
}
DEFAULT = RunConfig()
HINTS = {
    "weight_decay": "it is regularisation.weight_decay",
    "label_smoothing": "it is regularisation.label_smoothing",
    "dropout": "it is regularisation.dropout",
    "lr": "it is optimizer.lr",
    "patience": "it is early_stopping.patience",
}
IMPORTABLE = ("data", "model", "loss", "optimizer")
CALLED_NONE = (["data", "scaling"], ["data", "target_scaling"], ["data", "balance"])
"""Where `none` is one of the words to choose from."""


class ConfigError(UserError):
    """A preset or an option says something that cannot be: `where` is the dotted path in it."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(harmless(f"{where}: {problem}" if where else problem))


def nearest(wrong: str, valid: Iterable[str]) -> str:
    """', did you mean 'x'?' where something valid is close, else the valid names."""
    names = sorted(valid)
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.5)
    return harmless(f", did you mean '{close[0]}'?" if close else f"; known: {', '.join(names)}")


def decode(raw: Mapping[str, Any], source: str = "") -> RunConfig:
    """A validated RunConfig. Raises UserError: file, path in it, problem, nearest valid name."""
    try:
        config: RunConfig = decode_part(_normalised(raw), RunConfig)
        return config
    except ConfigError as error:
        raise UserError(f"{source}: {error}" if source else str(error)) from None


def decode_part(raw: Any, kind: Any, where: str = "") -> Any:
    """`raw` as `kind` (a struct or a union of tagged ones). Raises ConfigError."""
    _check_names(raw, kind, where)
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise _refused(error, raw, kind, where) from None


def encode(config: RunConfig) -> str:
    """Complete TOML text of `config`, harmless to look at: defaults written out, what is None left out."""
    return as_toml(tomli_w.dumps(plain(config)))


OF_A_SCRIPT = ("description", "seed", "threads", "checkpoint", "on_signal", "commands", "script")


def plain(config: RunConfig) -> dict[str, Any]:
    """`config` as a dict that `decode` takes back; of a script's no more than what counts."""
    raw = without_none(config)
    if config.script is not None:
        norm = {"evaluation": {"grad_norm": True}} if config.evaluation.grad_norm else {}
        return {name: raw[name] for name in OF_A_SCRIPT if name in raw} | norm
    for section in IMPORTABLE:
        if raw[section]["name"] == "import":
            raw[section]["name"] = raw[section].pop("target")
    return raw


def without_none(part: Struct) -> dict[str, Any]:
    """A struct as a dict; TOML has no null, so a missing key stands for None."""
    raw: dict[str, Any] = _without_none(msgspec.to_builtins(part))
    return raw


def override(config: RunConfig, assignments: Sequence[str]) -> RunConfig:
    """`config` with KEY=VALUE applied (VALUE as in TOML, bare words as text, `none` unsets).

    Another `name` of a section starts that section anew with its defaults; one deeper, as data.args.name, is
    a value like any. Raises UserError.
    """
    raw = plain(config)
    pairs = [_assignment(text) for text in assignments]
    for path, value in sorted(pairs, key=lambda pair: not _names_section(pair[0])):
        _assign(raw, path, value)
    return decode(raw, "--set")


def utf8(text: str, what: str) -> str:
    """`text` as it is. Raises UserError where it holds a byte that is not UTF-8: no record could keep it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"{what} {harmless(text)}: not UTF-8") from None
    return text


def variants(kind: Any) -> dict[str, type[Struct]]:
    """The structs of a union by their tag; {"": struct} for a single untagged one."""
    found = {}
    for struct in faults.structs(kind):
        tag = struct.__struct_config__.tag
        found[str(tag) if tag is not None else ""] = struct
    return found


def _assignment(text: str) -> tuple[list[str], Any]:
    key, equals, value = utf8(text, "--set").partition("=")
    if not equals or not all(key.strip().split(".")):
        raise UserError(f"--set {text}: expected KEY=VALUE, as in --set optimizer.lr=0.01")
    return key.strip().split("."), assigned(value.strip())


def _names_section(path: Sequence[str]) -> bool:
    return len(path) == 2 and path[1] == "name"


def _assign(raw: dict[str, Any], path: list[str], value: Any) -> None:
    *sections, key = path
    for depth, section in enumerate(sections):
        inner = raw.setdefault(section, {})
        if not isinstance(inner, dict):
            raise UserError(f"--set {'.'.join(path)}: {'.'.join(sections[: depth + 1])} has no parts")
        raw = inner
    if _names_section(path) and _canonical(raw.get("name")) != _canonical(value):
        raw.clear()
    if value is UNSET and path not in CALLED_NONE:
        raw.pop(key, None)
    else:
        raw[key] = "none" if value is UNSET else value


def _normalised(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Names with underscores, aliases resolved, a user's own "pkg.mod:attr" as {"name": "import"}."""
    result = dict(raw)
    for section in (*IMPORTABLE, "schedule"):
        part = result.get(section)
        if isinstance(part, dict) and "name" not in part:
            part = result[section] = _by_default(section, part)
        if isinstance(part, dict) and isinstance(part.get("name"), str):
            result[section] = named(part, importable=section in IMPORTABLE)
    return result


def _by_default(section: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """A section without a name is of the kind that is the default, if that has all its keys."""
    default = type(getattr(DEFAULT, section))
    known = {field.encode_name for field in msgspec.structs.fields(default)}
    tag = default.__struct_config__.tag
    return {"name": tag, **part} if part.keys() <= known else dict(part)


def named(part: Mapping[str, Any], *, importable: bool) -> dict[str, Any]:
    """One section with its name in canonical spelling."""
    name = part["name"]
    if ":" in name and importable:
        return {**part, "name": "import", "target": name}
    return {**part, "name": _canonical(name)}


def _canonical(name: Any) -> Any:
    """A name as the unions have it, an import path as it is."""
    if not isinstance(name, str) or ":" in name:
        return name
    name = name.lower().replace("-", "_")
    return ALIASES.get(name, name)


def _check_names(raw: Any, kind: Any, where: str) -> None:
    if isinstance(raw, str) and (words := _literals(kind)) and raw not in words:
        raise ConfigError(where, f"unknown '{raw}'{nearest(raw, words)}")
    structs = variants(kind)
    if not structs or not isinstance(raw, dict):
        return
    struct = structs.get("") or _chosen(raw, structs, where)
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    tagged = struct.__struct_config__.tag is not None
    for key in raw:
        if key not in fields and not (tagged and key == "name"):
            hint = HINTS.get(key)
            raise ConfigError(
                faults.dotted(where, key), "unknown key" + (f"; {hint}" if hint else nearest(key, fields))
            )
    for key, field in fields.items():
        if key in raw:
            _check_names(raw[key], field.type, faults.dotted(where, key))


def _chosen(raw: Mapping[str, Any], structs: Mapping[str, type[Struct]], where: str) -> type[Struct]:
    name, known = raw.get("name"), [tag for tag in structs if tag != "import"]
    if name is None:
        raise ConfigError(faults.dotted(where, "name"), f"missing; one of: {', '.join(sorted(known))}")
    if not isinstance(name, str):
        raise ConfigError(faults.dotted(where, "name"), f"expected text, got {name!r}")
    if name not in structs:
        raise ConfigError(faults.dotted(where, "name"), f"unknown '{name}'{nearest(name, known)}")
    return structs[name]


def _literals(kind: Any) -> list[str]:
    """The words of a Literal, also within an optional; [] for any other type."""
    if get_origin(kind) is Literal:
        return [word for word in get_args(kind) if isinstance(word, str)]
    if get_origin(kind) in (Union, types.UnionType):
        return [word for part in get_args(kind) for word in _literals(part)]
    return []


def _refused(error: msgspec.ValidationError, raw: Any, kind: Any, where: str) -> ConfigError:
    found = faults.fault(raw, kind, where)
    # What a struct finds itself when it is made, in its own words; msgspec adds the place.
    problem, _, path = str(error).partition(" - at `$")
    place = ".".join(part for part in (where, path.rstrip("`").lstrip(".")) if part)
    place, problem = found if found is not None else (place, problem)
    # A user's own class is called `name` in a preset.
    own = place.endswith(".target") and isinstance(raw, dict)
    return ConfigError(place.removesuffix("target") + "name" if own else place, problem)


def _without_none(raw: Any) -> Any:
    if isinstance(raw, dict):
        return {key: _without_none(value) for key, value in raw.items() if value is not None}
    if isinstance(raw, list | tuple):
        return [_without_none(value) for value in raw]
    return raw
