"""Scripted commands: WHEN and WHAT, from a preset's [[commands]] and from --at. No torch."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import RunConfig, Scripted, batches
from trainconsole.engine.protocol.commands import SetBatch, SetEpochs
from trainconsole.engine.protocol.grammar import GrammarError, parse, tidy


class When(Struct, frozen=True):
    """`epoch N`: before the first update of epoch N (from 1); `step N`: after N updates."""

    unit: str
    at: int

    def __str__(self) -> str:
        return f"{self.unit} {self.at}"


def parse_when(text: str) -> When:
    """Raises GrammarError."""
    unit, _, number = tidy(text).partition(" ")
    least = {"epoch": 1, "step": 0}.get(unit)
    if least is None or not (number.isascii() and number.isdecimal()) or len(number) > 15:
        raise GrammarError(f"'{text}' is no time; write 'epoch N' (from 1) or 'step N' (after N updates)")
    if int(number) < least:
        raise GrammarError(f"'{text}': epochs count from 1")
    return When(unit, int(number))


def parse_at(text: str) -> Scripted:
    """--at "WHEN: WHAT". Raises UserError."""
    when, colon, what = text.partition(":")
    if not colon or not what.strip():
        raise UserError(f"--at '{text}': expected 'WHEN: WHAT', as in --at 'epoch 6: optimizer sgd lr=0.01'")
    scripted = Scripted(when=tidy(when) or "?", what=tidy(what))
    _checked(scripted, f"--at '{text}'")
    return scripted


def check(config: RunConfig, source: str) -> None:
    """Every scripted command is in the grammar, none is for an epoch beyond the end. Raises UserError.

    A `step` beyond the end shows once the number of steps is known (see `check_steps`).
    """
    end = last_epoch(config)
    for index, scripted in enumerate(config.commands):
        place = f"{source}: commands[{index}] ('{scripted.when}: {scripted.what}')".lstrip(": ")
        when = _checked(scripted, place)
        if when.unit == "epoch" and when.at > end and config.script is None:
            raise UserError(f"{place}: beyond the end of the run, which has {end} epochs (--set epochs=N)")


def last_epoch(config: RunConfig) -> int:
    """The number of epochs, scripted `epochs` commands counted."""
    commands = [parse(scripted.what) for scripted in config.commands]
    return max([config.epochs, *(command.epochs for command in commands if isinstance(command, SetEpochs))])


def check_steps(config: RunConfig, epoch_size: int) -> None:
    """No scripted command is for a step beyond the end. Raises UserError."""
    commands = [parse(scripted.what) for scripted in config.commands]
    smallest = min([config.batch_size, *(c.size for c in commands if isinstance(c, SetBatch))])
    steps = last_epoch(config) * batches(epoch_size, smallest, drop_last=config.drop_last)
    for scripted in config.commands:
        when = parse_when(scripted.when)
        if when.unit == "step" and when.at > steps:
            raise UserError(
                f"'{scripted.when}: {scripted.what}': beyond the end of the run, which has {steps} steps"
                f" ({last_epoch(config)} epochs of {epoch_size} samples)"
            )


def _checked(scripted: Scripted, place: str) -> When:
    try:
        parse(scripted.what)
        return parse_when(scripted.when)
    except GrammarError as error:
        raise UserError(f"{place}: {error}") from None


class Script:
    """The scripted commands still to come, in the order given. Each fires once."""

    def __init__(self, commands: Sequence[Scripted], spent: Collection[str] = ()) -> None:
        named = [(f"script-{index}", command) for index, command in enumerate(commands, start=1)]
        self._waiting = [
            (parse_when(command.when), name, tidy(command.what))
            for name, command in named
            if name not in spent
        ]

    @property
    def waits(self) -> bool:
        """Whether any is still to come."""
        return bool(self._waiting)

    def is_due(self, step: int, epoch: int, *, starts_epoch: bool) -> bool:
        return any(_is_due(when, step, epoch, starts_epoch) for when, _, _ in self._waiting)

    def due(self, step: int, epoch: int, *, starts_epoch: bool) -> list[tuple[str, str]]:
        """(id, text) of what is due after `step` updates, before the next, which belongs to `epoch`."""
        ready = [entry for entry in self._waiting if _is_due(entry[0], step, epoch, starts_epoch)]
        self._waiting = [entry for entry in self._waiting if entry not in ready]
        return [(name, text) for _, name, text in ready]

    def stops_at(self, step: int) -> bool:
        """Whether `stop last` is among what is due after `step` updates."""
        texts = [text for when, _, text in self._waiting if when.unit == "step" and when.at <= step]
        return any(text in ("stop", "stop last") for text in texts)


def _is_due(when: When, step: int, epoch: int, starts_epoch: bool) -> bool:
    if when.unit == "step":
        return when.at <= step
    return when.at < epoch or (when.at == epoch and starts_epoch)
