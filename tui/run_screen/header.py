"""The line above the curves: preset, stage, progress. Numbers in, text out."""

from collections.abc import Mapping

from rich.text import Text

from trainconsole.engine.protocol.status import Status
from trainconsole.tui.text.format import harmless, seconds
from trainconsole.tui.theme import BAD, BEST, MUTED, RATE, TEXT, TRAIN, VALIDATION

STAGES: Mapping[str, str] = {
    "starting": VALIDATION,
    "loading torch": VALIDATION,
    "loading data": VALIDATION,
    "training": RATE,
    "evaluating": RATE,
    "paused": BEST,
    "finished": TRAIN,
}
DOT, FULL, EMPTY = "●", "━", "─"


def header(preset: str, stage: str, status: Status, device: str, width: int) -> Text:
    """One line: preset, stage, epoch with a bar, step, steps/s, time left, device.

    What lacks room is left out, the least important first.
    """
    colour = STAGES.get(stage, BAD)
    label = (f" {harmless(preset)}", f"bold {TEXT}")
    start = Text.assemble(label, "  ", (f"{DOT} {stage}", f"bold {colour}"))
    if not status.steps and not status.step:
        return start
    parts = {
        "epoch": f"epoch {status.epoch}/{status.epochs}" if status.epochs else f"epoch {status.epoch}",
        "step": f"step {status.step:,}",
        "left": f"{seconds(status.time_left)} left"
        if status.steps and stage in ("training", "evaluating")
        else "",
        "speed": f"{_speed(status.steps_per_second)} steps/s"
        if stage in STAGES and stage != "finished"
        else "",
        # How long a script's own loop is, need not be known.
        "percent": f"{status.step / status.steps:.0%}" if status.steps else "",
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
