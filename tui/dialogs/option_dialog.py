"""A dialog with a few answers, each with a key of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic

from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from trainconsole.tui import theme
from trainconsole.tui.dialogs.base import Dialog, Result


@dataclass(frozen=True)
class Offer(Generic[Result]):
    """One answer: the key that gives it, what it is, and what comes of it."""

    key: str
    name: str
    help: str
    result: Result


class Few(Dialog[Result], Generic[Result]):
    """Dismissed with the result of what was chosen, by its key or with the arrows and enter."""

    KEYS: ClassVar = (("↑ ↓", "choose"), ("enter", "confirm"), ("esc", "cancel"))
    DEFAULT_CSS = """
    Few {
        & > #box { width: 58; }
        #said { display: none; }
        #keys { margin-top: 1; }
        &.-short #keys { margin: 0; }
    }
    """

    def __init__(self, title: str, offers: Sequence[Offer[Result]], cancelled: Result) -> None:
        super().__init__(title, cancelled)
        self.offers = (*offers, Offer("esc", "cancel", "", cancelled))

    def body(self) -> Iterator[Widget]:
        yield OptionList(*(Option(_prompt(offer), offer.key) for offer in self.offers))

    def on_mount(self) -> None:
        answers = self.query_one(OptionList)
        answers.highlighted = 0
        answers.focus()

    def on_key(self, event: events.Key) -> None:
        found = next((offer for offer in self.offers if offer.key == event.key), None)
        if found is not None:
            event.stop()
            self.dismiss(found.result)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.offers[event.option_index].result)

    def action_confirm(self) -> None:
        self.dismiss(self.offers[self.query_one(OptionList).highlighted or 0].result)


def _prompt(offer: Offer[Result]) -> Content:
    line = Content.assemble((f"{offer.key:<5}", "bold $primary"), offer.name)
    if not offer.help:
        return line
    return Content("\n").join([line, Content.styled(f"     {offer.help}", theme.HELP)])
