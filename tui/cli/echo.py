"""What the command line says: each message goes out here, those of click too, and none drives a terminal."""

import contextlib
import io
import sys
from typing import IO, Any, NoReturn, cast

import click

from trainconsole.engine.common.escapes import harmless, message

PROGRAM = "trainconsole"


def tell(text: str, *, lines: bool = False) -> None:
    """An answer, on stdout: one line, or `lines` of its own.

    Raises OSError, which names stdout, where it cannot be written.
    """
    try:
        sys.stdout.write(shown(text, lines=lines))
        sys.stdout.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, "stdout") from None


def say(text: str, *, lines: bool = False) -> None:
    """Anything else, on stderr; where that is gone there is nobody to be told."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(shown(text, lines=lines))
        sys.stderr.flush()


def refusal(error: object) -> str:
    """An error's own lines below the first are set in: none of them can pass for a message of its own."""
    return f"{PROGRAM}: {error}".replace("\n", "\n  ")


def shown(text: str, *, lines: bool = False) -> str:
    """`text` harmless and ended; the line ends in it are its own where it has `lines`, else a name's."""
    return (message(text.removesuffix("\n")) if lines else harmless(text)) + "\n"


class _Saying(io.TextIOBase):
    """For click to write its messages to."""

    def write(self, text: str) -> int:
        say(text, lines=True)
        return len(text)


class Commands(click.Group):
    """A group whose usage errors, which repeat what was typed, are said as all else is."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        try:
            code = super().main(*args, **{"prog_name": PROGRAM, **extra, "standalone_mode": False})
        except click.ClickException as error:
            error.show(cast(IO[str], _Saying()))
            sys.exit(error.exit_code)
        except click.Abort:
            say("Aborted!")
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)
