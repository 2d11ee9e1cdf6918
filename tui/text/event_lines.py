"""Events as lines of plain text."""

import math
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from trainconsole.engine.config.optimizers import AnyOptimizer
from trainconsole.engine.config.parsing import variants
from trainconsole.engine.config.types import defaults
from trainconsole.engine.protocol import events
from trainconsole.engine.protocol.events import Event
from trainconsole.tui.text.format import effect, harmless, rate, real

WIDTH = 100
MOST_LAYERS = 24
"""A longer layer table is cut down to the layers that have parameters."""
SHORT = {"balanced_accuracy": "balanced"}


def lines(event: Event, width: int = WIDTH) -> Iterator[str]:
    """What a person should know of `event`, nothing for some; at most `width` cells where words allow it."""
    return map(harmless, _lines(event, width))


def _lines(event: Event, width: int) -> Iterator[str]:
    match event:
        case events.Started():
            yield from _started(event)
        case events.Evaluated():
            yield f"evaluated  {_step(event)}  {_measured(event, named=True)}"
        case events.EpochEnded():
            yield _epoch(event, width)
        case events.CommandApplied():
            yield from _wrapped(f"{_step(event)}  {_applied(event)}", width)
        case events.CommandRejected():
            text = f"{_step(event)}  rejected: {event.command}: {event.reason}"
            yield from _wrapped(text, width)
        case events.Paused():
            yield from _wrapped(f"{_step(event)}  paused: {event.why}", width)
        case events.Resumed():
            yield f"{_step(event)}  resumed"
        case events.Warned():
            yield from _wrapped(f"warning: {event.why}", width)
        case events.Interrupted():
            yield f"{event.signal} at step {event.step:,}: saved {event.checkpoint}"
        case _ if text := event.told():
            yield from _wrapped(f"{_step(event)}  {text}", width)


def six(value: float | None) -> str:
    """A number of the record in six characters if it has a place in them: 0.0312, 45.123, 1.2e-5, nan."""
    number = real(value)
    if not math.isfinite(number) or number == 0:
        return f"{number:.4f}"
    size = math.floor(math.log10(abs(number)))
    if -3 <= size <= 5:
        return f"{number:.{min(4, max(0, 4 - size))}f}"
    mantissa, _, exponent = f"{number:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def _started(event: events.Started) -> Iterator[str]:
    threads = f"{event.threads} thread{'s' if event.threads != 1 else ''}"
    sizes = "  ".join(f"{name} {size:,}" for name, size in event.sizes.items())
    yield f"{event.run}: {event.device}, {threads}, seed {event.seed}"
    yield f"data   {sizes}{f'  ({event.note})' if event.note else ''}"
    for text in event.data:
        yield f"       {text}"
    layers = [layer for layer in event.layers if layer.parameters or len(event.layers) <= MOST_LAYERS]
    longest = max((len(layer.name) for layer in layers), default=0)
    kinds = max((len(layer.kind) for layer in layers), default=0)
    for layer in layers:
        shape = "x".join(str(size) for size in layer.shape)
        name, kind = layer.name, layer.kind
        count = f"{layer.parameters:,}" if layer.parameters else "."
        yield f"  {name:<{longest}}  {kind:<{kinds}}  {shape:>11}  {count:>11}"
    yield f"model  {event.parameters:,} parameters"


def _epoch(event: events.EpochEnded, width: int) -> str:
    """The first of four forms, each shorter than the one before, that fits; * marks the best epoch so far."""
    star = " *" if event.best is not None and event.best.step == event.step else ""
    head, step = f"epoch {event.epoch:>3}", f"step {event.step:>6}"
    full, short = _measured(event, named=True), _measured(event, named=False)
    now = f"lr {rate(real(event.lr)):<7}"
    forms = [[head, step, full, now], [head, full, now], [head, short, now], [head, short]]
    texts = ["  ".join(filter(None, form)) for form in forms]
    fitting = next((text for text in texts if len(text) + 2 <= width), texts[-1])
    return f"{fitting}{star}".rstrip()


def _step(event: Event) -> str:
    return f"step {event.step:,}"


def _measured(event: events.Measured, *, named: bool) -> str:
    """The means of the epoch, and the validation's loss and that metric which decides which epoch is best."""
    own = [name for name in event.train if name != "loss"]
    parts = [_pairs(event.train, ["loss", *own], named=True)]
    if event.val is not None:
        chosen = event.best.metric if event.best is not None else "loss"
        names = ["loss", *(own if chosen == "loss" else [chosen])]
        parts.append("val " + _pairs(event.val, names, named=named or names[1:] != own))
    return "  ".join(part for part in parts if part)


def _pairs(values: Mapping[str, float | None], names: list[str], *, named: bool) -> str:
    known = [name for name in names if name in values]
    return "  ".join(f"{SHORT.get(n, n) + ' ' if named else ''}{six(values[n]):>6}" for n in known)


def _applied(event: events.CommandApplied) -> str:
    change = effect(event.before, told(event.before, event.after))
    details = "; ".join(part for part in (change, event.note) if part)
    return event.command + (f"  ({details})" if details else "")


def told(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Without those parameters of a new optimizer that are at its defaults."""
    struct = variants(AnyOptimizer).get(str(after.get("optimizer")))
    known = defaults(struct) if struct else {}
    return {k: v for k, v in after.items() if k in before or k not in known or known[k] != _tuple(v)}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
