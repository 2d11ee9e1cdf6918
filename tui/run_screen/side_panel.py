"""What is in force, and the figures so far, beside the curves. Numbers in, text out."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from trainconsole.engine.protocol.events import Best, EpochEnded
from trainconsole.engine.protocol.status import InForce, Status
from trainconsole.tui.run_screen.timeline import timeline
from trainconsole.tui.state import learning_rate
from trainconsole.tui.state.event_history import Story
from trainconsole.tui.text.cells import fit_text, fitted
from trainconsole.tui.text.event_lines import six, told
from trainconsole.tui.text.format import harmless, number, rate
from trainconsole.tui.text.timeline import Entry
from trainconsole.tui.theme import BEST, MUTED, RATE, TEXT, TRAIN, VALIDATION

LABEL = 10
"""Cells of the names in the side panel."""
NOTHING = ("-", "")
HYPERPARAMETERS = ("momentum", "nesterov", "dampening", "betas", "alpha", "rho", "amsgrad", "centered")
"""Shown beside the optimizer where they are not what they are by default."""


def in_force(status: Status, width: int, undo: str = "") -> list[Text]:
    """Name and value a line: what a command can change, as the host has read it back.

    `undo` is what was measured of it; a script, whose it is, has no patience of ours.
    """
    now, knobs = status.in_force, status.in_force.knobs
    if now.lr is None:
        return [Text("after the model is built", style=MUTED)]
    patience = knobs.get("patience")
    left = f"{status.patience_left} of {patience} epochs left" if patience is not None else "off"
    rows = [
        ("optimizer", "", harmless(now.optimizer), _hyper(now)),
        ("rate", "", *_rates(status)),
        ("schedule", "", *_schedule(status)),
        ("batch", "", number(now.batch_size or None), ""),
        ("decay", "weight_decay", number(knobs.get("weight_decay")), _pair("l1", knobs.get("l1"))),
        ("clip", "clip.norm", _clip(knobs), ""),
        ("dropout", "dropout", number(knobs.get("dropout")), ""),
        (
            "smoothing",
            "label_smoothing",
            number(knobs.get("label_smoothing")),
            _pair("augment", knobs.get("augment")),
        ),
        ("undo", "", *_parted(undo)) if undo else ("patience", "patience", left, ""),
    ]
    # A script's own loop has fewer knobs.
    there = [row for row in rows if not row[1] or not knobs or row[1] in knobs]
    return [line(name, value, more, width) for name, _, value, more in there]


def _rates(status: Status) -> tuple[str, str]:
    """Of several optimizers in their order, with their names."""
    shown = (rate(learning_rate.now(status)), *map(rate, [*status.in_force.rates.values()][1:]))
    return " / ".join(shown), " / ".join(map(harmless, status.in_force.rates))


def _parted(text: str) -> tuple[str, str]:
    """What comes before the first colon, and what after it."""
    head, _, rest = text.partition(": ")
    return harmless(head), harmless(rest)


def line(name: str, value: str, more: str, width: int, colour: str = TEXT) -> Text:
    """`name` dim, `value` bright, `more` dim, cut to `width` cells."""
    room = max(0, width - LABEL)
    value = fitted(value, room)
    text = Text.assemble((set_cell_size(name, LABEL), MUTED), (value, colour))
    rest = room - cell_len(value) - 2
    return text.append(f"  {fitted(more, rest)}", style=MUTED) if more and rest > 3 else text


def _schedule(status: Status) -> tuple[str, str]:
    name, _, parameters = status.in_force.schedule.partition(" ")
    left = status.steps - status.step if status.plan is not None else 0
    return harmless(name), harmless(parameters) or (
        f"{left:,} to go" if left > 0 and name != "constant" else ""
    )


def _hyper(now: InForce) -> str:
    changed = told({}, {"optimizer": now.optimizer, **now.parameters})
    known = ((name, changed[name]) for name in HYPERPARAMETERS if changed.get(name))
    return "  ".join(f"{name} {_value(value)}" for name, value in known)


def _value(value: Any) -> str:
    return " ".join(number(part) for part in value) if isinstance(value, list | tuple) else number(value)


def _pair(name: str, value: Any) -> str:
    return f"{name} {number(value)}" if value else ""


def _clip(values: Mapping[str, Any]) -> str:
    parts = [_pair(name, values.get(f"clip.{name}")) for name in ("norm", "value")]
    return "  ".join(part for part in parts if part) or "off"


def so_far(story: Story, status: Status, metric: str, width: int) -> list[Text]:
    """Best, training, validation: the last figures."""
    epoch = story.last_epoch
    rows = [
        ("best", *_best(story.best, metric), BEST),
        ("train", *_measured(status.loss, status.metric), TRAIN),
        ("val", *_validated(epoch, metric), VALIDATION),
    ]
    return [line(name, value, more, width, colour) for name, value, more, colour in rows]


def _best(best: Best | None, metric: str) -> tuple[str, str]:
    if best is None:
        return NOTHING
    return (
        f"{six(best.value)} ★",
        f"{'' if best.metric == metric else f'{harmless(best.metric)} '}epoch {best.epoch}",
    )


def _measured(loss: float | None, value: float | None) -> tuple[str, str]:
    if loss is None and value is None:
        return NOTHING
    # A metric that is not measured at all, in a script's own loop, is NaN beside a loss.
    lacks = value is not None and math.isnan(value) and loss is not None and not math.isnan(loss)
    return (six(loss) if lacks else f"{six(loss)}  {six(value)}"), ""


def _validated(epoch: EpochEnded | None, metric: str) -> tuple[str, str]:
    if epoch is None or epoch.val is None:
        return NOTHING
    known = [name for name in ("loss", metric) if name in epoch.val] or [*epoch.val][:2]
    return "  ".join(six(epoch.val[name]) for name in known), f"epoch {epoch.epoch}"


def brief(entries: Sequence[Entry], story: Story, status: Status, width: int, height: int) -> list[Text]:
    """What the side panel says, in as few lines as a low or narrow terminal has."""
    past = timeline(entries, width - 1, height)
    lines = [fit_text(part, width) for part in (_force_line(status), _figures_line(story, status)) if part]
    return [*lines, *[Text(" ").append_text(line) for line in past]][:height]


def _force_line(status: Status) -> Text | None:
    now, knobs = status.in_force, status.in_force.knobs
    if now.lr is None:
        return None
    patience = knobs.get("patience")
    parts = [
        (harmless(now.optimizer), TEXT),
        (f"rate {_rates(status)[0]}", RATE),
        (harmless(now.schedule), TEXT),
        (f"batch {number(now.batch_size)}", MUTED),
        (f"decay {number(knobs['weight_decay'])}" if knobs.get("weight_decay") else "", MUTED),
        (f"patience {status.patience_left}/{patience}" if patience is not None else "", MUTED),
    ]
    return _strung(parts)


def _figures_line(story: Story, status: Status) -> Text | None:
    best, epoch = story.best, story.last_epoch
    metric = status.metric_name
    train = _measured(status.loss, status.metric)[0]
    parts = [
        (f"train {' '.join(train.split())}" if train != "-" else "", TRAIN),
        (f"val {' '.join(_validated(epoch, metric)[0].split())}" if epoch and epoch.val else "", VALIDATION),
        (f"best {six(best.value)} at epoch {best.epoch}" if best else "", BEST),
    ]
    return _strung(parts)


def _strung(parts: Sequence[tuple[str, str]]) -> Text | None:
    """The parts that say something, two blanks between them."""
    text = Text("  ").join(Text(part, style=style) for part, style in parts if part)
    return Text(" ").append_text(text) if text.plain else None
