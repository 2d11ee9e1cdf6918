"""Events as lines of plain text."""

from collections.abc import Iterator

from trainconsole.engine import messages
from trainconsole.engine.messages import Event
from trainconsole.tui.plain import effect, harmless, metrics, rate


def lines(event: Event) -> Iterator[str]:
    """What a person should know of `event`; nothing for some."""
    match event:
        case messages.Started():
            yield from _started(event)
        case messages.Evaluated():
            yield f"evaluated at step {event.step:,}  {_epoch_metrics(event)}"
        case messages.EpochEnded():
            yield _epoch(event)
        case messages.CommandApplied():
            yield _applied(event)
        case messages.CommandRejected():
            yield f"step {event.step:,}  rejected: {harmless(event.command)}: {harmless(event.reason)}"
        case messages.Paused():
            yield f"step {event.step:,}  paused: {harmless(event.why)}"
        case messages.Resumed():
            yield f"step {event.step:,}  resumed"
        case messages.Warned():
            yield f"warning: {harmless(event.why)}"
        case messages.Interrupted():
            yield f"{event.signal} at step {event.step:,}: saved {event.checkpoint}"


def _started(event: messages.Started) -> Iterator[str]:
    threads = f"{event.threads} thread{'s' if event.threads != 1 else ''}"
    sizes = "  ".join(f"{name} {size:,}" for name, size in event.sizes.items())
    yield f"{harmless(event.run)}: {event.device}, {threads}, seed {event.seed}"
    yield f"data   {sizes}{f'  ({harmless(event.note)})' if event.note else ''}"
    width = max((len(layer.name) for layer in event.layers), default=0)
    for layer in event.layers:
        shape = "x".join(str(size) for size in layer.shape)
        name, kind = harmless(layer.name), harmless(layer.kind)
        yield f"  {name:<{width}}  {kind:<18} {shape:>12} {layer.parameters:>12,}"
    yield f"model  {event.parameters:,} parameters"


def _epoch(event: messages.EpochEnded) -> str:
    star = " *" if event.best is not None and event.best.step == event.step else ""
    return f"epoch {event.epoch}  step {event.step:,}  {_epoch_metrics(event)}  lr {rate(event.lr)}{star}"


def _epoch_metrics(event: messages.EpochEnded) -> str:
    val = f"  |  val {metrics(event.val)}" if event.val else ""
    return f"train {metrics(event.train)}{val}"


def _applied(event: messages.CommandApplied) -> str:
    change = effect(event.before, event.after)
    details = "; ".join(part for part in (change, harmless(event.note)) if part)
    return f"step {event.step:,}  {harmless(event.command)}" + (f"  ({details})" if details else "")
