"""How the command line says no: plain text on stderr, the right exit code, no traceback."""

import functools
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from trainconsole.engine.common.errors import UserError
from trainconsole.tui.cli.streams import refusal, say


def fail(error: UserError | str, code: int = 2) -> NoReturn:
    """What is wrong, on stderr; then leave."""
    say(refusal(error), lines=True)
    sys.exit(code)


def is_terminal() -> bool:
    """Whether there is a terminal to read keys from and to draw on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()


def need_terminal(instead: str = "add --no-ui to train headless") -> None:
    """Exit code 2 where the console cannot be drawn, or has no keys; `instead` says what can be done."""
    if not is_terminal():
        fail(f"this is no terminal: {instead}")
    if os.environ.get("TERM", "dumb") in ("dumb", "unknown", ""):
        fail(f"this terminal (TERM={os.environ.get('TERM', '')}) cannot show the console: {instead}")


def user_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a UserError into its text and exit code 2."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except UserError as error:
            fail(error)
        except KeyboardInterrupt:
            sys.exit(130)

    return guarded
