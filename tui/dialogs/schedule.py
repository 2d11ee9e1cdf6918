"""Choose a learning-rate schedule, and see the rate that it would lead to."""

from collections.abc import Iterator
from typing import Any, ClassVar

from rich.text import Text
from textual.app import RenderResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from trainconsole.engine.config.schedules import AnySchedule
from trainconsole.engine.protocol.commands import SetSchedule
from trainconsole.engine.protocol.status import Status
from trainconsole.tui import theme
from trainconsole.tui.dialogs.base import Verdict
from trainconsole.tui.dialogs.parameter_dialog import Chooser
from trainconsole.tui.forms.fields import about, texts
from trainconsole.tui.forms.schedule_preview import Preview, drawn, moment, preview


class Chart(Widget):
    """The rate to come, drawn anew only when the picture changes."""

    seen: Preview | None = None

    def show(self, seen: Preview | None) -> None:
        if seen != self.seen:
            self.seen = seen
            self.refresh()

    def render(self) -> RenderResult:
        if self.seen is None:
            return ""
        color = not self.app.no_color
        lines = drawn(self.seen, self.size.width, self.size.height, color=color, unicode=True)
        return Text.from_ansi("\n".join(lines), no_wrap=True)


class ScheduleScreen(Chooser):
    """Dismissed with ("schedule NAME key=value ...",), or () where it is cancelled."""

    VERB = "schedule"
    UNION: ClassVar[Any] = AnySchedule
    DEFAULT_CSS = """
    ScheduleScreen {
        align: center bottom;
        #outlook, #body { height: auto; }
        #legend { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        Chart { height: 6; color: $text-muted; }
        &.-wide {
            & > #box { width: 116; }
            #body { layout: horizontal; }
            #choice { width: 62; }
            #outlook { width: 1fr; margin-left: 2; }
            Chart { height: 10; }
        }
        &.-narrow, &.-slim { align: right bottom; }
        &.-narrow.-tall Chart { height: 9; }
        &.-narrow.-short Chart, &.-slim Chart, &.-tiny #outlook, &.-narrow.-short #about { display: none; }
    }
    """

    def __init__(self, status: Status) -> None:
        super().__init__("learning-rate schedule", status)
        self._drawn: tuple[object, ...] | None = None

    def in_force(self) -> str:
        plan = self.status.plan
        return "" if plan is None else str(plan.schedule.__struct_config__.tag)

    def prefilled(self, name: str) -> dict[str, str]:
        plan = self.status.plan
        return texts(plan.schedule) if plan is not None and name == self.in_force() else {}

    def about(self, name: str) -> str:
        text = about(AnySchedule, name)
        return text if self.has_class("-wide") else text.partition(". ")[0]

    def outlook(self) -> Iterator[Widget]:
        yield Vertical(Chart(), Static(id="legend"), id="outlook")

    def foresee(self, verdict: Verdict) -> None:
        chosen = verdict.parsed.schedule if isinstance(verdict.parsed, SetSchedule) else None
        depends = (*moment(self.status), chosen)
        if depends == self._drawn:
            return
        self._drawn = depends
        seen = preview(self.status, chosen)
        self.query_one(Chart).show(seen)
        self.query_one("#legend", Static).update(self._legend(seen))

    def _legend(self, seen: Preview | None) -> Content:
        if seen is None:
            starting = "the host is still starting: no learning rate yet"
            return Content.styled("no step is left" if self.status.plan else starting, theme.MUTED)
        if seen.coming is None:
            return Content.assemble(("·· as it is  ", theme.MUTED), seen.words)
        return Content.assemble(("━━ ", theme.RATE), seen.words, ("  ·· as it is", theme.MUTED))
