"""Weight decay, L1, clipping, dropout, label smoothing, augmentation and patience in one form."""

from collections.abc import Iterator

from textual.widget import Widget

from trainconsole.engine.protocol.commands import SetKnob
from trainconsole.engine.protocol.status import Status
from trainconsole.tui.dialogs.base import Answer, Verdict, judged
from trainconsole.tui.forms.form import Entry, Form
from trainconsole.tui.forms.knobs import changed, knob_fields, knob_problem, knob_texts


class RegulariseScreen(Answer):
    """Dismissed with a ("set KNOB VALUE", ...) of what was changed, () where nothing was."""

    DEFAULT_CSS = """
    RegulariseScreen {
        align: right bottom;
        & > #box { width: 66; }
        &.-slim .note { display: none; }
    }
    """

    def __init__(self, status: Status) -> None:
        super().__init__("regularisation")
        self.status = status
        self.form = Form(knob_fields(status.in_force.knobs), knob_texts(status.in_force.knobs))

    def body(self) -> Iterator[Widget]:
        yield self.form

    def on_mount(self) -> None:
        next(self.form.controls()).focus()
        self.revise()

    def follow(self, status: Status) -> None:
        """A field that shows what was in force shows what is in force now."""
        before, after = knob_texts(self.status.in_force.knobs), knob_texts(status.in_force.knobs)
        self.status = status
        for entry in self.query(Entry):
            name = entry.name or ""
            if name in after and self.form.given[name] == before.get(name) != after[name]:
                entry.value = after[name]
        self.revise()

    def verdict(self) -> Verdict:
        """Of all that was changed; the first problem counts."""
        self.form.read()
        changes = changed(self.status.in_force.knobs, self.form.given)
        for name, text in changes:
            if problem := self._problem(text):
                return Verdict(problem=f"{name}: {problem}", field=name)
        return Verdict(tuple(text for _, text in changes))

    def refuse(self, verdict: Verdict) -> None:
        super().refuse(verdict)
        next(control for control in self.form.controls() if control.name == verdict.field).focus()

    def revise(self) -> None:
        """Say what is wrong, or else what the field at hand takes."""
        verdict = self.verdict()
        self.form.blame(verdict.field)
        field = self.form.field(self.focused.name or "") if self.focused is not None else None
        self.say(verdict.problem or (field.hint if field else ""), wrong=bool(verdict.problem))

    def on_form_edited(self) -> None:
        self.revise()

    def on_descendant_focus(self) -> None:
        self.revise()

    def _problem(self, text: str) -> str:
        verdict = judged(text)
        if verdict.problem:
            return verdict.problem.partition(": ")[2] or verdict.problem
        assert isinstance(verdict.parsed, SetKnob)
        missing = verdict.parsed.knob == "dropout" and self._lacks_dropout()
        return "the model has no dropout layer" if missing else knob_problem(verdict.parsed)

    def _lacks_dropout(self) -> bool:
        knobs = self.status.in_force.knobs
        return bool(knobs) and knobs.get("dropout") is None
