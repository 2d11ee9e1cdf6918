"""One field that completes a command: a learning rate, a batch size, a step to go back to, anything."""

from collections.abc import Callable, Iterator
from typing import ClassVar

from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from trainconsole.engine.protocol.commands import Command, Lr, SetKnob
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.schedule import rate_plan
from trainconsole.tui.dialogs.base import Answer, Verdict, judged
from trainconsole.tui.forms.fields import shown
from trainconsole.tui.forms.form import Entry
from trainconsole.tui.forms.knobs import knob_problem, knob_texts
from trainconsole.tui.state.learning_rate import here
from trainconsole.tui.text.format import rate

Check = Callable[[Command, Status | None], str]
"""What speaks against a command that the grammar takes, "" where nothing does."""

IN_FORCE = {"lr ": "lr", "batch ": "batch_size", "epochs ": "epochs"}


def within_reach(command: Command, status: Status | None) -> str:
    """Why a rate or a knob would be refused here, as far as it is known before it is sent."""
    if isinstance(command, SetKnob):
        return knob_problem(command)
    if not isinstance(command, Lr) or status is None or status.plan is None:
        return ""
    plan, at = status.plan, here(status)
    factor = command.factor if command.factor is not None else 0.0
    value = command.value if command.value is not None else rate_plan.rate(plan, at) * factor
    try:
        rate_plan.set_rate(plan, value, at)
    except ValueError as error:
        return str(error)
    return ""


class PromptScreen(Answer):
    """Dismissed with (start + what was typed,), or () where it is cancelled."""

    KEYS: ClassVar = (("enter", "confirm"), ("esc", "cancel"))
    DEFAULT_CSS = """
    PromptScreen {
        align: center bottom;
        & > #box { width: 64; }
        #line { height: 1; }
        #start { width: auto; max-width: 50%; color: $primary; text-style: bold; text-wrap: nowrap; }
        Entry { width: 1fr; }
    }
    """

    def __init__(
        self,
        title: str,
        start: str = "",
        hint: str = "",
        status: Status | None = None,
        check: Check = within_reach,
    ) -> None:
        super().__init__(title)
        self.start, self.hint, self.status, self.check = start, hint, status, check
        self.typed = ""

    def body(self) -> Iterator[Widget]:
        entry = Entry(placeholder=self._present())
        yield Horizontal(Static(Content(self.start.strip() and self.start), id="start"), entry, id="line")

    def on_mount(self) -> None:
        self.query_one(Entry).focus()
        self.say(self.hint)

    def follow(self, status: Status) -> None:
        self.status = status
        self.query_one(Entry).placeholder = self._present()

    def verdict(self) -> Verdict:
        verdict = judged(self.start + self.typed)
        if verdict.parsed is not None and (problem := self.check(verdict.parsed, self.status)):
            return Verdict(problem=problem)
        return verdict

    def on_input_changed(self, event: Input.Changed) -> None:
        """An empty field is no mistake yet."""
        event.stop()
        self.typed = event.value
        verdict = self.verdict() if event.value.strip() else Verdict()
        self.say(verdict.problem or self.hint, wrong=bool(verdict.problem))

    def action_confirm(self) -> None:
        self.typed = self.query_one(Entry).value
        super().action_confirm()

    def _present(self) -> str:
        """What is in force now, where the command changes it."""
        if self.status is None:
            return ""
        verb, _, knob = self.start.strip().partition(" ")
        if verb == "set" and knob:
            return knob_texts(self.status.in_force.knobs).get(knob, "")
        if self.start == "rewind step ":
            return f"0 to {self.status.step}"
        value = self.status.in_force.values().get(IN_FORCE.get(self.start, ""))
        return rate(value) if isinstance(value, float) and value else "" if value is None else shown(value)
