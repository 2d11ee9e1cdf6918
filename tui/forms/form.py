"""A form: one line for each parameter, a field to type in or a choice between few."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Static

from trainconsole.tui.forms.fields import Field


class Entry(Input):
    """A field on one line; left at its start leaves it, for the list beside the form."""

    DEFAULT_CSS = """
    Entry {
        height: 1;
        border: none;
        padding: 0 1;
        background: $panel;
        &:focus { border: none; background-tint: $primary 20%; }
        &.-wrong { background-tint: $error 25%; }
        &:nocolor { background: transparent; text-style: underline; }
    }
    """

    class Left(Message):
        """The cursor was at the start, and was moved left."""

    def __init__(self, value: str = "", *, name: str = "", placeholder: str = "") -> None:
        super().__init__(value, name=name, placeholder=placeholder)
        # A blinking cursor sends bytes for ever.
        self.cursor_blink = False

    def action_cursor_left(self, select: bool = False) -> None:
        if self.cursor_position == 0 and self.selection.is_empty and not select:
            self.post_message(self.Left())
        else:
            super().action_cursor_left(select)


class Pick(Static, can_focus=True):
    """A choice between a few words: left, right and space change it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", "the one before", show=False),
        Binding("right,space", "turn(1)", "the next one", show=False),
    ]
    DEFAULT_CSS = """
    Pick {
        height: 1;
        padding: 0 1;
        text-wrap: nowrap;
        &:focus { background: $primary 20%; }
        &:nocolor:focus { text-style: reverse; }
    }
    """

    picked: reactive[str] = reactive("", init=False)

    class Changed(Message):
        """Another word is picked."""

        def __init__(self, pick: "Pick") -> None:
            super().__init__()
            self.pick = pick

    def __init__(self, choices: Sequence[str], picked: str, *, name: str = "") -> None:
        super().__init__(name=name)
        self.choices = tuple(choices)
        self.set_reactive(Pick.picked, picked)

    def render(self) -> Content:
        return Content("  ").join(
            Content.styled(word, "bold $primary underline" if word == self.picked else "dim")
            for word in self.choices
        )

    def action_turn(self, by: int) -> None:
        self.picked = self.choices[(self.choices.index(self.picked) + by) % len(self.choices)]

    def watch_picked(self) -> None:
        self.post_message(self.Changed(self))


class Form(Vertical):
    """The fields of one choice. `given` is what they hold now, by name; "" is left out."""

    DEFAULT_CSS = """
    Form {
        height: auto;
        & > .row {
            height: 1;
            & > .label { max-width: 50%; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
            & > .label.-wrong { color: $error; text-style: bold; }
            & > Entry, & > Pick { width: 1fr; }
            & > .note { width: 2fr; margin-left: 1; color: $text-muted; }
            & > .note { text-wrap: nowrap; text-overflow: ellipsis; }
        }
    }
    """

    class Edited(Message):
        """A field holds something else."""

    def __init__(self, fields: Sequence[Field], given: Mapping[str, str]) -> None:
        super().__init__()
        self.fields = tuple(fields)
        self.given = {field.name: given.get(field.name, "") for field in fields}

    def compose(self) -> ComposeResult:
        longest = max((len(field.name) for field in self.fields), default=0)
        for field in self.fields:
            with Horizontal(classes="row"):
                label = Static(Content(field.name), classes="label", name=field.name)
                label.styles.width = min(longest, 16) + 1
                yield label
                yield self._control(field)
                if field.note:
                    yield Static(Content(field.note), classes="note")

    def _control(self, field: Field) -> Widget:
        text = self.given[field.name]
        if field.kind == "choice":
            return Pick(field.choices, text or field.default, name=field.name)
        return Entry(text, name=field.name, placeholder=field.placeholder)

    def controls(self) -> Iterator[Widget]:
        """What can be typed in or picked from, from the top."""
        return iter(self.query(".row > Entry, .row > Pick").results(Widget))

    def blame(self, name: str) -> None:
        """Mark the field called `name`, and no other."""
        for widget in self.query(".label, Entry").results(Widget):
            widget.set_class(bool(name) and widget.name == name, "-wrong")

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)

    def put(self, name: str, text: str) -> None:
        """Have the field called `name` hold `text`."""
        self.given[name] = text
        for entry in self.query(Entry):
            if entry.name == name:
                entry.value = text

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._revised()

    def on_pick_changed(self, event: Pick.Changed) -> None:
        event.stop()
        self._revised()

    def _revised(self) -> None:
        before = dict(self.given)
        self.read()
        if self.given != before:
            self.post_message(self.Edited())

    def read(self) -> None:
        """Take what the fields hold at this moment: their messages may still be on the way."""
        for control in self.controls():
            field = self.field(control.name or "")
            if field is not None and isinstance(control, Entry):
                self.given[field.name] = control.value
            elif field is not None and isinstance(control, Pick):
                self.given[field.name] = "" if control.picked == field.default else control.picked

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        event.widget.scroll_visible(animate=False)
