"""The command palette: every key by name, and what has no key. Fed from the one table of keys."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.screen import Screen

from trainconsole.tui.keys import ASKED, KEYS, MOVES, Key


@dataclass(frozen=True)
class Entry:
    """One line of the palette: `run` is called when it is chosen."""

    name: str
    help: str
    run: Callable[[], Awaitable[None] | None]


@runtime_checkable
class Steers(Protocol):
    """A screen that steers a run: it has the actions of KEYS too."""

    def action_send(self, command: str) -> None:
        """Ask for a command."""

    def ask(self, start: str, title: str) -> None:
        """Have the command that begins with `start` completed in a field, and ask for it."""


class RunCommands(Provider):
    """For a screen that Steers; on any other there is nothing to offer."""

    async def discover(self) -> Hits:
        for entry in entries(self.screen):
            yield DiscoveryHit(entry.name, entry.run, help=entry.help)

    async def search(self, query: str) -> Hits:
        """By name, or else by a word of the help."""
        matcher = self.matcher(query)
        for entry in entries(self.screen):
            score = matcher.match(entry.name)
            if score > 0:
                yield Hit(score, matcher.highlight(entry.name), entry.run, help=entry.help)
            elif query.lower() in entry.help.lower():
                yield Hit(0.1, Content(entry.name), entry.run, text=entry.name, help=entry.help)


def entries(screen: Screen[object]) -> Iterator[Entry]:
    """All that the palette offers on `screen`."""
    if not isinstance(screen, Steers):
        return
    for key in KEYS:
        if key.action or key.command:
            yield Entry(key.help, f"key {key.shown}", partial(_act, screen, key, key.bound))
        else:
            for name in key.keys.split(","):
                yield Entry(f"{key.help}: {name}", f"key {name}", partial(_act, screen, key, MOVES[name]))
    for asked in ASKED:
        send, ask = partial(screen.action_send, asked.start), partial(screen.ask, asked.start, asked.name)
        yield Entry(asked.name, asked.help, send if asked.complete else ask)


async def _act(screen: Screen[object], key: Key, action: str) -> None:
    """Curves take their keys themselves."""
    node = screen.query_one("#curves") if key.group == "look" else screen
    await screen.app.run_action(action, node)
