"""Presets: one TOML file each, and how they are found and listed. No torch."""

from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import Cifar10, Diabetes, FashionMnist, Mnist
from trainconsole.engine.config.parsing import decode, nearest
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.config.toml import parse
from trainconsole.engine.protocol.script import check

DEFAULT = "digits"

NEEDS_DOWNLOAD = (Mnist, FashionMnist, Cifar10)


class Preset(Struct, frozen=True, kw_only=True):
    """What the list of presets shows."""

    name: str
    task: str
    data: str
    model: str
    shows: str
    download: bool


def names() -> list[str]:
    """The presets that come with trainconsole, the default first."""
    found = [
        file.name.removesuffix(".toml")
        for file in files(__package__).iterdir()
        if file.name.endswith(".toml")
    ]
    return sorted(found, key=lambda name: (name != DEFAULT, name))


def text(name: str) -> str:
    """The TOML of a preset that comes with trainconsole. Raises UserError with the nearest name."""
    if name not in names():
        raise UserError(f"no preset '{name}'{nearest(name, names())}")
    return (files(__package__) / f"{name}.toml").read_text(encoding="utf-8")


def load(name: str) -> tuple[str, RunConfig]:
    """A preset by name, or a TOML file by path: its short name and its config. Raises UserError."""
    if name in names():
        return name, _checked(text(name), name)
    path = Path(name)
    if path.suffix != ".toml" and "/" not in name:
        raise UserError(f"no preset '{name}'{nearest(name, names())}; a file's name ends in .toml")
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{name}: not a text file: a preset is TOML, in UTF-8") from None
    except OSError as error:
        raise UserError(f"{name}: {error.strerror}") from None
    return path.stem, _checked(content, name)


def listing() -> list[Preset]:
    return [_described(name, decode(parse(text(name), name), name)) for name in names()]


def _checked(content: str, source: str) -> RunConfig:
    config = decode(parse(content, source), source)
    check(config, source)
    return config


def _described(name: str, config: RunConfig) -> Preset:
    return Preset(
        name=name,
        task="regression" if isinstance(config.data, Diabetes) else "classification",
        data=_tag(config.data),
        model=_tag(config.model),
        shows=config.description.splitlines()[0] if config.description else "",
        download=isinstance(config.data, NEEDS_DOWNLOAD),
    )


def _tag(part: Struct) -> str:
    return str(msgspec.to_builtins(part)["name"])
