"""Every key, from the table that the bindings and the footer follow."""

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from trainconsole.tui.dialogs.base import Dialog
from trainconsole.tui.keys import ASKED, GROUPS, KEYS, Group

SHOWN = 11
"""Cells for a key's name."""


class HelpScreen(Dialog[tuple[str, ...]]):
    """Dismissed with (), by escape, enter, ? or q."""

    KEYS: ClassVar = (("↑ ↓", "scroll"), ("esc", "close"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,q", "cancel", "close", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    HelpScreen {
        & > #box { width: 66; }
        #all { height: auto; max-height: 1fr; scrollbar-size-vertical: 1; }
        #groups, .column { height: auto; }
        .group { height: auto; margin-bottom: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        &.-wide {
            & > #box { width: 116; }
            #groups { layout: horizontal; }
            .column { width: 1fr; }
            #steering { width: 58; margin-right: 1; }
        }
    }
    """

    def __init__(self) -> None:
        super().__init__("keys", ())
        self.HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (60, "-narrow"), (114, "-wide")]

    def body(self) -> Iterator[Widget]:
        left = Vertical(Static(listed("steer"), classes="group"), classes="column", id="steering")
        rest = [Static(text, classes="group") for text in (listed("look"), listed("leave"), palette())]
        yield VerticalScroll(Container(left, Vertical(*rest, classes="column"), id="groups"), id="all")

    def on_mount(self) -> None:
        self.query_one("#all").focus()

    def action_confirm(self) -> None:
        self.dismiss(())


def listed(group: Group) -> Content:
    """The keys of one group, a line each, under its name."""
    pairs = [(key.shown, key.help) for key in KEYS if key.group == group]
    return _section(GROUPS[group], pairs)


def palette() -> Content:
    """What has no key."""
    names = [("ctrl+p", "all of these by name, and what has no key:"), *(("", a.name) for a in ASKED)]
    return _section("everything else", names)


def _section(title: str, pairs: list[tuple[str, str]]) -> Content:
    lines = [Content.assemble((f"{shown:<{SHOWN}}", "bold $primary"), what) for shown, what in pairs]
    return Content("\n").join([Content.styled(title, "bold $secondary"), *lines])
