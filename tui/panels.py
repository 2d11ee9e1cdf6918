"""The text around the curves: header, what is in force, so far, timeline, footer. Numbers in, text out."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from trainconsole.engine.messages import Best, EpochEnded, Status
from trainconsole.tui import rates
from trainconsole.tui.keys import KEYS, Key
from trainconsole.tui.lines import six, told
from trainconsole.tui.plain import harmless, number, rate, seconds
from trainconsole.tui.story import Story
from trainconsole.tui.theme import BAD, BEST, MUTED, RATE, TEXT, TRAIN, VALIDATION
from trainconsole.tui.timeline import Entry, Kind

LABEL = 10
"""Cells of the names in the side panel."""

STAGES: Mapping[str, str] = {
    "starting": VALIDATION,
    "loading torch": VALIDATION,
    "loading data": VALIDATION,
    "training": RATE,
    "evaluating": RATE,
    "paused": BEST,
    "finished": TRAIN,
}
COLOURS: Mapping[Kind, str] = {
    "requested": VALIDATION,
    "applied": RATE,
    "rejected": "#ff5f5f",
    "epoch": MUTED,
    "best": BEST,
    "evaluated": TRAIN,
    "paused": BEST,
    "resumed": RATE,
    "warning": BAD,
    "ended": TRAIN,
}
SIGNS: Mapping[Kind, str] = {
    "requested": "…",
    "applied": "✓",
    "rejected": "✗",
    "epoch": "·",
    "best": "★",
    "evaluated": "◇",
    "paused": "‖",
    "resumed": "▸",
    "warning": "!",
    "ended": "■",
}
DOT, FULL, EMPTY = "●", "━", "─"
NOTHING = ("-", "")
HYPERPARAMETERS = ("momentum", "nesterov", "dampening", "betas", "alpha", "rho", "amsgrad", "centered")
"""Shown beside the optimizer where they are not what they are by default."""


def header(preset: str, stage: str, status: Status, device: str, width: int) -> Text:
    """One line: preset, stage, epoch with a bar, step, steps/s, time left, device.

    What lacks room is left out, the least important first.
    """
    colour = STAGES.get(stage, BAD)
    label = (f" {harmless(preset)}", f"bold {TEXT}")
    start = Text.assemble(label, "  ", (f"{DOT} {stage}", f"bold {colour}"))
    if not status.steps:
        return start
    parts = {
        "epoch": f"epoch {status.epoch}/{status.epochs}",
        "step": f"step {status.step:,}",
        "left": f"{seconds(status.time_left)} left" if stage in ("training", "evaluating") else "",
        "speed": f"{_speed(status.steps_per_second)} steps/s"
        if stage in STAGES and stage != "finished"
        else "",
        "percent": f"{status.step / status.steps:.0%}",
        "device": device,
    }
    kept = _kept({name: text for name, text in parts.items() if text}, width - start.cell_len)
    spare = width - start.cell_len - sum(len(parts[name]) + 2 for name in kept) - 1
    for name in ("epoch", "bar", "percent", "step", "speed", "left", "device"):
        if name == "bar" and spare >= 10 and "percent" in kept:
            start.append("  ").append_text(bar(status.step / status.steps, min(24, spare - 2), colour))
        elif name in kept:
            start.append(f"  {parts[name]}", style=MUTED if name == "device" else TEXT)
    return start


def _kept(parts: Mapping[str, str], room: int) -> list[str]:
    kept = []
    for name, text in parts.items():
        room -= len(text) + 2
        if room < 0:
            break
        kept.append(name)
    return kept


def _speed(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def bar(share: float, width: int, colour: str) -> Text:
    """`share` of `width` cells filled."""
    done = round(max(0.0, min(1.0, share)) * width)
    return Text.assemble((FULL * done, colour), (EMPTY * (width - done), "#444444"))


def in_force(status: Status, width: int) -> list[Text]:
    """Name and value a line: what a command can change, as the host has read it back."""
    values = status.in_force
    if not values:
        return [Text("after the model is built", style=MUTED)]
    patience = values.get("patience")
    left = f"{status.patience_left} of {patience} epochs left" if patience is not None else "off"
    rows = [
        ("optimizer", harmless(str(values["optimizer"])), _hyper(values)),
        ("rate", rate(rates.now(status)), ""),
        ("schedule", *_schedule(status)),
        ("batch", number(values.get("batch_size")), ""),
        ("decay", number(values.get("weight_decay")), _pair("l1", values.get("l1"))),
        ("clip", _clip(values), ""),
        ("dropout", number(values.get("dropout")), ""),
        ("smoothing", number(values.get("label_smoothing")), _pair("augment", values.get("augment"))),
        ("patience", left, ""),
    ]
    return [line(name, value, more, width) for name, value, more in rows]


def line(name: str, value: str, more: str, width: int, colour: str = TEXT) -> Text:
    """`name` dim, `value` bright, `more` dim, cut to `width` cells."""
    room = max(0, width - LABEL)
    value = fitted(value, room)
    text = Text.assemble((set_cell_size(name, LABEL), MUTED), (value, colour))
    rest = room - cell_len(value) - 2
    return text.append(f"  {fitted(more, rest)}", style=MUTED) if more and rest > 3 else text


def fitted(text: str, room: int) -> str:
    """`text` in at most `room` cells, with an ellipsis where it was cut."""
    if cell_len(text) <= room:
        return text
    return f"{set_cell_size(text, max(0, room - 1)).rstrip()}…"[: max(0, room)]


def _schedule(status: Status) -> tuple[str, str]:
    name, _, parameters = str(status.in_force.get("schedule", "")).partition(" ")
    left = status.steps - status.step if status.plan is not None else 0
    return harmless(name), harmless(parameters) or (
        f"{left:,} to go" if left > 0 and name != "constant" else ""
    )


def _hyper(values: Mapping[str, Any]) -> str:
    changed = told({}, values)
    known = ((name, values[name]) for name in HYPERPARAMETERS if changed.get(name))
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
    return f"{six(best.value)} ★", f"{'' if best.metric == metric else f'{best.metric} '}epoch {best.epoch}"


def _measured(loss: float | None, value: float | None) -> tuple[str, str]:
    return NOTHING if loss is None and value is None else (f"{six(loss)}  {six(value)}", "")


def _validated(epoch: EpochEnded | None, metric: str) -> tuple[str, str]:
    if epoch is None or epoch.val is None:
        return NOTHING
    return f"{six(epoch.val.get('loss'))}  {six(epoch.val.get(metric))}", f"epoch {epoch.epoch}"


def timeline(entries: Sequence[Entry], width: int, height: int) -> list[Text]:
    """Entries from the top, each its line and, dim below it, its detail wrapped."""
    return list(_timeline(tuple(entries), width, height))


@lru_cache(4)
def _timeline(entries: tuple[Entry, ...], width: int, height: int) -> tuple[Text, ...]:
    lines: list[Text] = []
    widest = max((len(f"{entry.step:,}") for entry in entries if entry.step is not None), default=1)
    for entry in entries:
        if len(lines) >= height:
            break
        lines += _told(entry, widest, width)
    return tuple(lines[:height])


@lru_cache(256)
def _told(entry: Entry, widest: int, width: int) -> tuple[Text, ...]:
    """The very texts of the time before: a line that has only moved need not be laid out again."""
    return tuple(_lines_of(entry, widest, width))


def _lines_of(entry: Entry, widest: int, width: int) -> Iterator[Text]:
    step = f"{entry.step:,}" if entry.step is not None else ""
    head = Text.assemble((f"{step:>{widest}} ", MUTED), (f"{SIGNS[entry.kind]} ", COLOURS[entry.kind]))
    indent = widest + 3
    room = max(8, width - indent)
    for number_, part in enumerate(wrapped(entry.text, room)):
        lead = head if number_ == 0 else Text(" " * indent)
        yield lead.append(part, style=MUTED if entry.kind == "epoch" else TEXT)
    for part in wrapped(entry.detail, room):
        yield Text(" " * indent + part, style=MUTED)


def wrapped(text: str, room: int) -> list[str]:
    """Lines of at most `room` cells, broken at blanks where there are any."""
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= room:
            lines[-1] += f" {word}"
            continue
        while cell_len(word) > room:
            cut = set_cell_size(word, room).rstrip()
            lines.append(cut)
            word = word[len(cut) :]
        lines.append(word)
    return lines


def brief(entries: Sequence[Entry], story: Story, status: Status, width: int, height: int) -> list[Text]:
    """What the side panel says, in as few lines as a low or narrow terminal has."""
    past = timeline(entries, width - 1, height)
    lines = [fit_text(part, width) for part in (_force_line(status), _figures_line(story, status)) if part]
    return [*lines, *[Text(" ").append_text(line) for line in past]][:height]


def _force_line(status: Status) -> Text | None:
    if not status.in_force:
        return None
    values = status.in_force
    patience = values.get("patience")
    parts = [
        (harmless(str(values["optimizer"])), TEXT),
        (f"rate {rate(rates.now(status))}", RATE),
        (harmless(str(values.get("schedule", ""))), TEXT),
        (f"batch {number(values.get('batch_size'))}", MUTED),
        (f"decay {number(values['weight_decay'])}" if values.get("weight_decay") else "", MUTED),
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


def fit_text(text: Text, width: int) -> Text:
    text.truncate(max(1, width), overflow="ellipsis")
    return text


def footer(width: int, height: int, paused: bool, over: bool = False) -> list[Text]:
    """As many keys as `height` lines of `width` cells hold, the lowest ranks of them, in table order.

    A run that is over has no use for those that steer.
    """
    keys = [key for key in KEYS if not (over and (key.group == "steer" or key.action == "detach"))]
    return list(_footer(width, height, paused, tuple(keys)))


@lru_cache(4)
def _footer(width: int, height: int, paused: bool, keys: tuple[Key, ...]) -> tuple[Text, ...]:
    ranks = sorted(key.rank for key in keys if key.rank)
    for most in reversed(ranks):
        lines = _packed([key for key in keys if 0 < key.rank <= most], width, paused)
        if len(lines) <= height:
            return tuple(lines)
    return ()


def _packed(keys: Sequence[Key], width: int, paused: bool) -> list[Text]:
    lines: list[Text] = []
    for key in keys:
        brief = "resume" if paused and key.action == "pause" else key.brief
        text = Text.assemble((key.shown, f"bold {TRAIN}"), f" {brief}", style=MUTED)
        if lines and lines[-1].cell_len + 2 + text.cell_len <= width:
            lines[-1].append("  ").append_text(text)
        else:
            lines.append(Text(" ").append_text(text))
    return lines
