"""Choose an optimizer, and read what would carry over and which learning rate would be in force."""

from collections.abc import Iterator
from typing import Any, ClassVar

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from trainconsole.engine.config.optimizers import AnyOptimizer
from trainconsole.engine.protocol.commands import SetOptimizer
from trainconsole.engine.protocol.status import Status
from trainconsole.tui import theme
from trainconsole.tui.dialogs.base import Verdict
from trainconsole.tui.dialogs.parameter_dialog import Chooser
from trainconsole.tui.forms.fields import Field, about, shown, words
from trainconsole.tui.forms.optimizer_preview import effects, name_in_force, rate_now


class OptimizerScreen(Chooser):
    """Dismissed with ("optimizer NAME key=value ...",), or () where it is cancelled."""

    VERB = "optimizer"
    UNION: ClassVar[Any] = AnyOptimizer
    DEFAULT_CSS = """
    OptimizerScreen {
        align: right bottom;
        & > #box { width: 72; }
        #about { min-height: 1; margin-bottom: 1; }
        #body { height: auto; }
        #outlook { height: 3; margin-top: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        &.-short #outlook { margin: 0; }
        &.-short #about { display: none; }
    }
    """

    def __init__(self, status: Status) -> None:
        super().__init__("optimizer", status)
        self._told: tuple[tuple[str, str], ...] | None = None

    def in_force(self) -> str:
        return name_in_force(self.status)

    def prefilled(self, name: str) -> dict[str, str]:
        """Of the one in force what it was given, and the rate of now, so that a change elsewhere keeps it."""
        if name != self.in_force():
            return {}
        values = self.status.in_force.parameters | {"lr": rate_now(self.status)}
        texts = {f.name: shown(values[f.name]) for f in self.fields[name] if f.name in values}
        given = {field.name: field.default for field in self.fields[name]}
        kept = {key: text for key, text in texts.items() if text != given[key] or key == "lr"}
        if name == "import":
            kept["target"] = self.status.in_force.optimizer
        return {key: text for key, text in kept.items() if (key, text) != ("lr", "0")}

    def follow(self, status: Status) -> None:
        """A rate that nobody has touched is that of now."""
        name, form = self.in_force(), self._forms.get(self.in_force())
        untouched = form is not None and form.given.get("lr") == self.prefilled(name).get("lr")
        self.status = status
        if form is not None and untouched and "lr" in self.prefilled(name):
            form.put("lr", self.prefilled(name)["lr"])
        super().follow(status)

    def about(self, name: str) -> str:
        return about(AnyOptimizer, name)

    def label(self, name: str) -> str:
        return "your own" if name == "import" else name

    def command(self, name: str, fields: tuple[Field, ...], given: dict[str, str]) -> str:
        if name != "import":
            return super().command(name, fields, given)
        rest = tuple(field for field in fields if field.name != "target")
        return f"optimizer {given.get('target', '')}{words(rest, given)}"

    def verdict(self) -> Verdict:
        """A name that is none is about the field where it is typed."""
        if self.chosen == "import" and not self.form.given["target"].strip():
            return Verdict(problem="target: which class? as in package.module:Class", field="target")
        verdict = super().verdict()
        unnamed = self.chosen == "import" and verdict.problem and not verdict.field
        return Verdict(problem=verdict.problem, field="target") if unnamed else verdict

    def further(self, verdict: Verdict) -> Verdict:
        """A rate may be out of reach of the schedule in force."""
        assert isinstance(verdict.parsed, SetOptimizer)
        try:
            effects(self.status, verdict.parsed)
        except ValueError as error:
            return Verdict(problem=str(error), field="lr")
        return verdict

    def outlook(self) -> Iterator[Widget]:
        yield Static(id="outlook")

    def foresee(self, verdict: Verdict) -> None:
        parsed = verdict.parsed
        lines = effects(self.status, parsed) if isinstance(parsed, SetOptimizer) else ()
        if lines == self._told:
            return
        self._told = lines
        texts = [Content.assemble((f"{what:<7}", theme.MUTED), text) for what, text in lines]
        self.query_one("#outlook", Static).update(Content("\n").join(texts))
