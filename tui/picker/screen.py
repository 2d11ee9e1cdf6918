"""The first screen: presets to start and runs to open, narrowed down by typing. No torch, no plotext."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from trainconsole.tui.dialogs.leave_once import Once
from trainconsole.tui.picker import list_view
from trainconsole.tui.picker.details import Details, Told, of_preset, of_run
from trainconsole.tui.picker.entries import (
    PRESET_HEAD,
    RUN_HEAD,
    Choice,
    Entry,
    Open,
    Start,
    matching,
    preset_entries,
    widths,
)
from trainconsole.tui.picker.list_view import Shelf, Tab

if TYPE_CHECKING:
    from trainconsole.engine.transport.registry import Live
    from trainconsole.tui.picker.recent_runs import Seen

__all__ = ["Choice", "Open", "PickerScreen", "Start"]

LOOK = 2.0
"""Seconds between two looks at the runs."""


class PickerScreen(Once[Choice | None]):
    """Dismissed with a Choice, or with None to quit."""

    CSS_PATH = "screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "switch", "presets or runs", show=False, priority=True),
        Binding("shift+tab", "switch", "presets or runs", show=False, priority=True),
        Binding("right", "zoom(True)", "the TOML alone", show=False, priority=True),
        Binding("left", "zoom(False)", "back to the list", show=False, priority=True),
        Binding("pagedown", "page(1)", "scroll the TOML down", show=False, priority=True),
        Binding("pageup", "page(-1)", "scroll the TOML up", show=False, priority=True),
        Binding("escape", "back", "clear the filter, or quit", show=False),
        Binding("ctrl+c,ctrl+q", "quit", "quit", show=False, priority=True),
    ]

    def __init__(self, runs_dir: Path) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-tiny"), (12, "-low"), (30, "-tall")]
        self._runs_dir = runs_dir
        self._tab: Tab = "presets"
        self._typed = ""
        self._presets = preset_entries()
        self._seen: tuple[Seen, ...] | None = None
        self._trouble = ""
        self._room = 1
        self._at: dict[Tab, str] = {}

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        yield Static(id="filter")
        with Container(id="body"):
            with Vertical(id="shelf"):
                yield Static(id="head")
                yield OptionList()
            yield Details()
        yield Static(id="keys")

    def on_mount(self) -> None:
        self._list.focus()
        self.call_after_refresh(lambda: self.run_worker(self._watch(), group="runs"))

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    # --- keys ---------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        if event.key == "backspace":
            self._type(self._typed[:-1])
        elif event.character and event.is_printable:
            self._type((self._typed + event.character).lstrip())
        else:
            return
        event.stop()

    def action_switch(self) -> None:
        self._tab = "runs" if self._tab == "presets" else "presets"
        self._typed = ""
        self.set_class(self._tab == "runs", "-runs")
        self.action_zoom(False)
        self._fill()
        self.call_after_refresh(self._fill)

    def action_zoom(self, on: bool) -> None:
        on = on and self._list.option_count > 0
        if on != self.has_class("-zoomed"):
            self.set_class(on, "-zoomed")
            self.call_after_refresh(self._fill)

    def action_page(self, direction: int) -> None:
        details = self.query_one(Details)
        details.scroll_relative(y=direction * max(1, details.size.height - 2), animate=False)

    def action_back(self) -> None:
        if self.has_class("-zoomed"):
            self.action_zoom(False)
        elif self._typed:
            self._type("")
        else:
            self.dismiss(None)

    def action_quit(self) -> None:
        self.dismiss(None)

    # --- choosing -----------------------------------------------------------------------------------------

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        key = event.option_id or ""
        if self._tab == "runs":
            self.dismiss(Open(Path(key)))
        else:
            self.run_worker(self._start(key), group="start", exclusive=True)

    async def _start(self, preset: str) -> None:
        """At once where nothing is training, else as is answered."""
        live = await asyncio.to_thread(_live)
        if not live:
            self.dismiss(Start(preset))
            return
        from trainconsole.tui.picker.already_training import BesideScreen

        choice = await self.app.push_screen_wait(BesideScreen(preset, live))
        if choice is not None:
            self.dismiss(choice)

    # --- looking ------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Look at the runs again and again, in a thread; draw only what is new."""
        while True:
            seen, trouble = await asyncio.to_thread(_look, self._runs_dir, self._seen or ())
            if (seen, trouble) != (self._seen, self._trouble):
                self._seen, self._trouble = seen, trouble
                self._fill()
            await asyncio.sleep(LOOK)

    # --- drawing ------------------------------------------------------------------------------------------

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    def _type(self, text: str) -> None:
        if text != self._typed:
            self._typed = text
            self._at.pop(self._tab, None)
            self.action_zoom(False)
            self._fill()

    def _entries(self) -> tuple[Entry, ...]:
        if self._tab == "presets":
            return self._presets
        if not self._seen:
            return ()
        from trainconsole.tui.picker.recent_runs import entry

        return tuple(entry(seen) for seen in self._seen)

    def _fill(self) -> None:
        """The list, from what is known; the highlight stays on what it was on, if that is still there."""
        every = self._entries()
        shown = matching(every, self._typed)
        head = PRESET_HEAD if self._tab == "presets" else RUN_HEAD
        # While the list is hidden it has no width: it will have again what it had.
        self._room = self._list.scrollable_content_region.width or self._room
        columns = widths(head, every, self._room)
        two = self._tab == "presets" and self.has_class("-wide") and 2 * len(every) <= self._list.size.height
        below = self._room if two else 0
        keys = [entry.key for entry in shown]
        at = self._at.get(self._tab)
        self.query_one("#head", Static).update(Content(list_view.head(head, columns)))
        with self.prevent(OptionList.OptionHighlighted):
            self._list.set_options(
                Option(list_view.prompt(self._tab, entry, columns, below), entry.key) for entry in shown
            )
            self._list.highlighted = (keys.index(at) if at in keys else 0) if keys else None
        self._say()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_id:
            self._at[self._tab] = event.option_id
        self._say()

    def _say(self) -> None:
        """The lines around the list, and the pane beside it."""
        now = self._shelf()
        self.query_one("#bar", Static).update(list_view.bar(now))
        self.query_one("#filter", Static).update(list_view.filter_line(now))
        self.query_one("#keys", Static).update(list_view.keys(now))
        option = self._list.highlighted_option
        self.query_one(Details).show(self._told(option.id) if option and option.id else None)

    def _shelf(self) -> Shelf:
        live = sum(seen.live for seen in self._seen or ())
        runs = "" if self._seen is None else f"{len(self._seen)}" + (f", {live} live" if live else "")
        return Shelf(
            tab=self._tab,
            counts={"presets": f"{len(self._presets)}", "runs": runs},
            typed=self._typed,
            shown=self._list.option_count,
            every=len(self._entries()),
            note=self._note(),
            zoomed=self.has_class("-zoomed"),
        )

    def _note(self) -> str:
        if self._tab == "presets" or self._seen:
            return "type to filter"
        return "looking ..." if self._seen is None else self._trouble or f"no runs in {self._runs_dir}"

    def _told(self, key: str) -> Told | None:
        if self._tab == "presets":
            return next((of_preset(entry) for entry in self._presets if entry.key == key), None)
        return next((of_run(seen) for seen in self._seen or () if seen.row.where == key), None)


def _look(runs: Path, known: Sequence["Seen"]) -> tuple[tuple["Seen", ...], str]:
    """In a thread: what `recent_runs.look` finds, and why it finds nothing where that is an error."""
    from trainconsole.tui.picker.recent_runs import look

    try:
        return look(runs, {seen.path: seen for seen in known}), ""
    except OSError as error:
        return (), f"{runs}: {error.strerror}"


def _live() -> list["Live"]:
    from trainconsole.engine.transport import registry as live

    return live.live()
