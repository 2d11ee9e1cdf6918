"""A screen that is left once: what else would leave it, then or while another is above, does not."""

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import Screen

Result = TypeVar("Result")


class Once(Screen[Result]):
    """Textual pops whichever screen is on top, once more for each time that one is dismissed."""

    left = False

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        if self.left or not self.is_active:
            return AwaitComplete()
        self.left = True
        return super().dismiss(result)
