"""How the command line says no: plain text on stderr, the right exit code, no traceback."""

import functools
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from trainconsole.engine.errors import UserError


def fail(error: UserError | str, code: int = 2) -> NoReturn:
    """What is wrong, on stderr; then leave."""
    click.echo(f"trainconsole: {error}", err=True)
    sys.exit(code)


def need_terminal() -> None:
    """Exit code 2 where nobody would see the progress, or stop it."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        fail("this is no terminal: add --no-ui to train headless")


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
