"""What is to be done before a run of `attach` begins: whoever watches the script from outside steps aside.

No torch, and nothing else that takes time to load.
"""

from collections.abc import Callable

_asked: list[Callable[[], None]] = []


def ask(what: Callable[[], None]) -> None:
    _asked.append(what)


def call() -> None:
    """Each once."""
    while _asked:
        _asked.pop()()
