"""A dialog to choose one of many by name, with its parameters in fields: schedules and optimizers."""

from collections.abc import Iterator
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from trainconsole.engine.config.parsing import variants
from trainconsole.engine.protocol.status import Status
from trainconsole.tui.dialogs.base import Answer, Verdict, judged
from trainconsole.tui.forms.fields import Field, blamed, fields_of, words
from trainconsole.tui.forms.form import Entry, Form


class Names(OptionList):
    """A list of names; a letter jumps to the next one that begins with it."""

    def on_key(self, event: events.Key) -> None:
        letter = (event.character or "").lower()
        if not letter.isalpha():
            return
        start = (self.highlighted if self.highlighted is not None else -1) + 1
        order = [(start + index) % self.option_count for index in range(self.option_count)]
        ids = [self.get_option_at_index(index).id or "" for index in order]
        found = next((index for index, name in zip(order, ids, strict=True) if name.startswith(letter)), None)
        if found is not None:
            self.highlighted = found
            event.stop()


class Chooser(Answer):
    """A list of what there is, the one in force marked, and beside it the fields of the highlighted one."""

    VERB: ClassVar[str]
    UNION: ClassVar[Any]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "into_form", "to the fields", show=False),
    ]
    DEFAULT_CSS = """
    Chooser {
        #choice { height: auto; }
        #choice > Names { width: 22; }
        #forms { width: 1fr; height: auto; margin-left: 1; }
        #about { color: $text-muted; height: auto; min-height: 2; }
        &.-slim, &.-tiny {
            #choice { layout: vertical; }
            #choice > Names, #forms { width: 100%; margin: 0; }
        }
        &.-tiny #about { display: none; }
        &.-tiny #choice > Names { max-height: 4; }
    }
    """

    def __init__(self, title: str, status: Status) -> None:
        super().__init__(title)
        self.status = status
        self.fields = {name: fields_of(struct) for name, struct in variants(self.UNION).items()}
        self.chosen = self.in_force() or next(iter(self.fields))
        self._forms: dict[str, Form] = {}
        self._tried = False

    # --- what a subclass says -----------------------------------------------------------------------------

    def in_force(self) -> str:
        """The name of what the run uses now, "" where that is not known yet."""
        raise NotImplementedError

    def prefilled(self, name: str) -> dict[str, str]:
        """What the fields of `name` hold at first."""
        raise NotImplementedError

    def about(self, name: str) -> str:
        """What `name` is, in a line or two."""
        raise NotImplementedError

    def label(self, name: str) -> str:
        return name

    def outlook(self) -> Iterator[Widget]:
        """What shows the consequences, under the list and the fields or beside them."""
        raise NotImplementedError

    def foresee(self, verdict: Verdict) -> None:
        """Bring the outlook up to date with what is entered."""
        raise NotImplementedError

    def command(self, name: str, fields: tuple[Field, ...], given: dict[str, str]) -> str:
        """The text of the command."""
        return f"{self.VERB} {name}{words(fields, given)}"

    def further(self, verdict: Verdict) -> Verdict:
        """What else there is to check in a command that the grammar takes."""
        return verdict

    # --- building -----------------------------------------------------------------------------------------

    def body(self) -> Iterator[Widget]:
        names = Names(*(Option(self._prompt(name), name) for name in self.fields))
        names.highlighted = list(self.fields).index(self.chosen)
        yield Static(id="about")
        yield Container(Horizontal(names, Container(id="forms"), id="choice"), *self.outlook(), id="body")

    def on_mount(self) -> None:
        self.query_one(Names).focus()
        self._show_form()

    def follow(self, status: Status) -> None:
        before, self.status = self.in_force(), status
        if self.in_force() != before:
            names = self.query_one(Names)
            for index, name in enumerate(self.fields):
                names.replace_option_prompt_at_index(index, self._prompt(name))
        self.revise()

    # --- choosing -----------------------------------------------------------------------------------------

    @property
    def form(self) -> Form:
        """The fields of what is chosen; made when it is first asked for, kept with what was typed."""
        if self.chosen not in self._forms:
            self._forms[self.chosen] = Form(self.fields[self.chosen], self.prefilled(self.chosen))
        return self._forms[self.chosen]

    def verdict(self) -> Verdict:
        fields = self.fields[self.chosen]
        verdict = judged(self.command(self.chosen, fields, self.form.given))
        if not verdict.problem:
            return self.further(verdict)
        name, problem = blamed(verdict.problem, [field.name for field in fields])
        return Verdict(problem=f"{name}: {problem}" if name else problem, field=name)

    def refuse(self, verdict: Verdict) -> None:
        self._tried = True
        self.revise()
        control = next((c for c in self.form.controls() if c.name == verdict.field), None)
        if control is not None:
            control.focus()

    def revise(self) -> None:
        """Say what is wrong with what is entered, or else what the field at hand takes."""
        verdict = self.verdict()
        # What is still empty is no mistake before it was to be confirmed.
        wrong = bool(verdict.problem) and (self._tried or self.form.given.get(verdict.field) != "")
        self.form.blame(verdict.field if wrong else "")
        field = self.form.field(self.focused.name or "") if self.focused is not None else None
        hint = f"{field.name}: {field.hint}" if field is not None else ""
        self.say(verdict.problem or hint, wrong=wrong)
        self.foresee(verdict)

    # --- messages -----------------------------------------------------------------------------------------

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_id and event.option_id != self.chosen:
            self.chosen, self._tried = event.option_id, False
            self._show_form()

    def on_form_edited(self) -> None:
        self.revise()

    def on_descendant_focus(self) -> None:
        self.revise()

    def on_entry_left(self) -> None:
        self.query_one(Names).focus()

    def action_into_form(self) -> None:
        control = next(self.form.controls(), None)
        if control is not None and not isinstance(self.focused, Entry):
            control.focus()

    def action_confirm(self) -> None:
        """Of what is highlighted, also where its message is still on the way."""
        option = self.query_one(Names).highlighted_option
        if option is not None and option.id:
            self.chosen = option.id
        self.form.read()
        super().action_confirm()

    def _show_form(self) -> None:
        form, forms = self.form, self.query_one("#forms")
        if form.parent is None:
            forms.mount(form)
        for other in self._forms.values():
            other.display = other is form
        self.query_one("#about", Static).update(Content(self.about(self.chosen)))
        self.revise()

    def _prompt(self, name: str) -> Content:
        mark = "●" if name == self.in_force() else " "
        return Content.assemble((mark, "$secondary"), f" {self.label(name)}")
