"""The learning rate that would follow from this step on, beside the one that is planned. No torch."""

from dataclasses import dataclass

from trainconsole.engine.config.schedules import AnySchedule
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.rate_plan import Position
from trainconsole.tui import theme
from trainconsole.tui.state.learning_rate import along, here
from trainconsole.tui.text.charts import Line, lines_chart
from trainconsole.tui.text.format import rate

POINTS = 160
SMALLEST = (24, 5)
"""Columns and rows that a chart needs at least."""
MOVES = 100
"""The picture changes when the run has gone on by this share of what is left."""


@dataclass(frozen=True)
class Preview:
    """Rates at `steps`, from the next update to the end of the run; `coming` is None where none is chosen."""

    steps: tuple[float, ...]
    present: tuple[float, ...]
    coming: tuple[float, ...] | None

    @property
    def words(self) -> str:
        """The rate now, at its highest if it rises, and at the end."""
        rates = self.present if self.coming is None else self.coming
        first, last, top = rates[0], rates[-1], max(rates)
        turns = (first, top, last) if top > 1.001 * max(first, last) else (first, last)
        return " → ".join(rate(value) for value in turns)


def preview(status: Status, schedule: AnySchedule | None) -> Preview | None:
    """None where the host has no plan yet, or no update is left."""
    if status.plan is None or status.steps <= status.step:
        return None
    at, end = here(status), Position(status.steps, float(status.epochs))
    steps = _steps(status)
    coming = None if schedule is None else rate_plan.change(status.plan, schedule, at, end)
    return Preview(
        steps=tuple(float(step) for step in steps),
        present=along(status, status.plan, steps),
        coming=None if coming is None else along(status, coming, steps),
    )


def moment(status: Status) -> tuple[object, ...]:
    """What the picture depends on: it is drawn anew when this changes."""
    share = max(1, (status.steps - status.step) // MOVES)
    return status.plan, status.steps, status.epochs, status.step // share


def drawn(seen: Preview, width: int, height: int, *, color: bool, unicode: bool) -> list[str]:
    """The chart, the present plan dotted; [] where there is no room for one."""
    if width < SMALLEST[0] or height < SMALLEST[1]:
        return []
    lines = [Line(seen.steps, seen.present, theme.MUTED, dotted=True)]
    if seen.coming is not None:
        lines.insert(0, Line(seen.steps, seen.coming, theme.RATE))
    return lines_chart(lines, width, height, color=color, unicode=unicode)


def _steps(status: Status) -> list[int]:
    left = status.steps - status.step
    count = min(POINTS, left)
    return sorted({status.step + round(left * index / count) for index in range(count + 1)})
