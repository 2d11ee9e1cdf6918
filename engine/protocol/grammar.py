"""Text to command: the one grammar of `--at`, `ctl`, a preset's [[commands]] and the console. No torch."""

import json
import re
from collections.abc import Callable
from typing import Any

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import harmless
from trainconsole.engine.config.knobs import KNOBS
from trainconsole.engine.config.optimizers import AnyOptimizer
from trainconsole.engine.config.parsing import ConfigError, decode_part, named, nearest, utf8, without_none
from trainconsole.engine.config.schedules import AnySchedule
from trainconsole.engine.config.toml import value_of
from trainconsole.engine.config.types import Named, defaults
from trainconsole.engine.protocol import commands
from trainconsole.engine.protocol.commands import Command

LONGEST = 80
"""Characters of the name of a checkpoint."""
RESERVED = ("best", "last", "step")


class GrammarError(UserError):
    """Text that is no command; says on one line which word is wrong and what would be right."""

    def __init__(self, text: str) -> None:
        super().__init__(harmless(text))


def parse(text: str) -> Command:
    """The command that `text` spells. Raises GrammarError."""
    words = utf8(text, "command").split()
    if not words:
        raise GrammarError(f"no command; one of: {', '.join(sorted(_VERBS))}")
    verb, *rest = words
    if verb not in _VERBS:
        raise GrammarError(f"unknown command '{verb}'{nearest(verb, _VERBS)}")
    return _VERBS[verb](rest)


def tidy(text: str) -> str:
    """One blank between words, as a lineage holds it."""
    return " ".join(text.split())


def spell(choice: Named) -> str:
    """An optimizer or a schedule as its command has it: the name, then what differs from our defaults."""
    usual = defaults(type(choice))
    raw = without_none(choice)
    name = raw.pop("target", None) or raw["name"]
    given = {k: v for k, v in raw.items() if k not in ("name", "args") and getattr(choice, k) != usual[k]}
    return " ".join(
        [name, *(f"{key}={json.dumps(value, separators=(',', ':'))}" for key, value in given.items())]
    )


def number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise GrammarError(f"{what}: expected a number, got '{text}'") from None


def count(text: str, what: str, least: int = 1) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 15 or int(text) < least:
        raise GrammarError(f"{what}: expected a whole number from {least}, got '{text}'")
    return int(text)


def _lr(words: list[str]) -> Command:
    names_one = len(words) == 2 and is_name(words[0]) and not words[0][0].isdigit()
    optimizer = words[0] if names_one else ""
    word = _single(words[names_one:], "lr", "lr 0.001, lr x0.5 or lr OPTIMIZER x0.5")
    if word[0] in "xX":
        return commands.Lr(factor=number(word[1:], "lr"), optimizer=optimizer)
    return commands.Lr(value=number(word, "lr"), optimizer=optimizer)


def _schedule(words: list[str]) -> Command:
    if words == ["own"]:
        return commands.OwnSchedule()
    return commands.SetSchedule(schedule=_choice(words, "schedule", AnySchedule))


def _optimizer(words: list[str]) -> Command:
    given = tuple(word.partition("=")[0] for word in words[1:])
    return commands.SetOptimizer(optimizer=_choice(words, "optimizer", AnyOptimizer), given=given)


def _choice(words: list[str], what: str, kind: Any) -> Any:
    if not words:
        raise GrammarError(f"{what}: which one? as in: {what} NAME [key=value ...]")
    part: dict[str, Any] = {"name": words[0]}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals or not key or key == "name":
            raise GrammarError(f"{what} {words[0]}: expected key=value, got '{word}'")
        part[key] = value_of(value)
    try:
        return decode_part(named(part, importable=what == "optimizer"), kind, what)
    except ConfigError as error:
        raise GrammarError(str(error)) from None


def _set(words: list[str]) -> Command:
    if len(words) != 2:
        raise GrammarError(f"set: expected KNOB VALUE; knobs: {', '.join(KNOBS)}")
    knob, text = words
    if knob not in KNOBS:
        raise GrammarError(f"set: unknown knob '{knob}'{nearest(knob, KNOBS)}")
    if text in ("off", "none"):
        return commands.SetKnob(knob=knob, value=None)
    value = 1.0 if text == "on" and knob == "augment" else number(text, f"set {knob}")
    return commands.SetKnob(knob=knob, value=value)


def _next(words: list[str]) -> Command:
    return commands.Next(steps=count(_single(words, "next", "next 10"), "next") if words else 1)


def _stop(words: list[str]) -> Command:
    keep = _single(words, "stop", "stop best or stop last") if words else "last"
    if keep == "best":
        return commands.Stop(keep="best")
    if keep == "last":
        return commands.Stop(keep="last")
    raise GrammarError(f"stop: keep what? best or last, got '{keep}'")


def _checkpoint(words: list[str]) -> Command:
    name = _single(words, "checkpoint", "checkpoint before-swap") if words else ""
    if name in RESERVED or (name and not is_name(name)) or re.search(r"-b\d+-s\d", name):
        raise GrammarError(
            f"checkpoint: '{name}' cannot be a name; at most {LONGEST} letters, digits, '-', '_', '.'"
        )
    return commands.SaveCheckpoint(name=name)


def _rewind(words: list[str]) -> Command:
    if words[:1] == ["step"] and len(words) == 2:
        return commands.Rewind(step=count(words[1], "rewind step", least=0))
    name = _single(words, "rewind", "rewind best, rewind last, rewind NAME or rewind step 100")
    if name == "step" or not is_name(name):
        raise GrammarError(f"rewind: to what? best, last, a checkpoint's name or step N, got '{name}'")
    return commands.Rewind(name=name)


def is_name(text: str) -> bool:
    """Whether a checkpoint or an optimizer can be named so in a command."""
    return (
        len(text) <= LONGEST
        and text[0] not in ".-"
        and all(c.isascii() and (c.isalnum() or c in "-_.") for c in text)
    )


def _single(words: list[str], verb: str, example: str) -> str:
    if len(words) != 1:
        raise GrammarError(f"{verb}: expected one value, as in: {example}")
    return words[0]


def _bare(verb: str, command: Command) -> Callable[[list[str]], Command]:
    def build(words: list[str]) -> Command:
        if words:
            raise GrammarError(f"{verb}: takes nothing more, got '{' '.join(words)}'")
        return command

    return build


_VERBS: dict[str, Callable[[list[str]], Command]] = {
    "lr": _lr,
    "schedule": _schedule,
    "optimizer": _optimizer,
    "set": _set,
    "batch": lambda words: commands.SetBatch(size=count(_single(words, "batch", "batch 128"), "batch")),
    "epochs": lambda words: commands.SetEpochs(epochs=count(_single(words, "epochs", "epochs 20"), "epochs")),
    "pause": _bare("pause", commands.Pause()),
    "resume": _bare("resume", commands.Resume()),
    "next": _next,
    "stop": _stop,
    "evaluate": _bare("evaluate", commands.Evaluate()),
    "checkpoint": _checkpoint,
    "undo": _bare("undo", commands.Undo()),
    "rewind": _rewind,
}
