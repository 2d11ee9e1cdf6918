"""Keys that arrive in one burst: each is handled to its end before the next one is looked at."""

from collections import deque
from functools import partial
from typing import TypeVar

from textual import events
from textual.app import App
from textual.message import Message

Result = TypeVar("Result")

GRACE = 0.05
"""Seconds until the next key goes on where what was to be handled went with the screen that was left."""
OPENS = 0.002
"""Seconds between two looks at a screen that is opening: it has nowhere to put a key yet."""
LONGEST = 1.0
"""Seconds that it may take to open before keys go on."""


class Handled(Message):
    """Sent after a key, it takes the same way through widgets and screen, and comes to the app after it."""

    def __init__(self, turn: int) -> None:
        super().__init__()
        self.turn = turn


class KeysInTurn(App[Result]):
    """Textual hands on a key while the one before it is still on its way: a dialog that this one has closed
    would get that one, and what is bound would overtake what is typed."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: deque[events.Key] = deque()
        self._turn = 0
        self._busy = False

    @property
    def handles_keys(self) -> bool:
        """Whether a key that has come is not handled to its end yet."""
        return self._busy

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        self._keys.append(event)
        if not self._busy:
            await self._next(self._turn)

    async def on_handled(self, message: Handled) -> None:
        await self._next(message.turn)

    async def _next(self, turn: int, waited: float = 0.0) -> None:
        """Handle the next key, unless turn number `turn` is over already."""
        if turn != self._turn:
            return
        self._busy = bool(self._keys)
        if not self._keys:
            return
        if not self.screen.is_mounted and waited < LONGEST:
            self.set_timer(OPENS, partial(self._next, turn, waited + OPENS))
            return
        self._turn += 1
        key, target = self._keys.popleft(), self.focused or self.screen
        await super().on_event(key)
        if not target.post_message(Handled(self._turn)):
            await self._next(self._turn)
        else:
            self.set_timer(GRACE, partial(self._next, self._turn))
