"""What goes wrong before a command has changed anything is the reason why it is refused: training goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trainconsole.engine.checkpoints.parts import Misfit
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.tensors import memory


class Refused(Exception):
    """The command cannot take effect here; the text is the reason. The trainer is as it was."""


def _any(error: Exception) -> bool:
    return True


@contextmanager
def refused(what: str, when: Callable[[Exception], bool] = _any) -> Iterator[None]:
    """Raises Refused, which begins with `what`, for an exception inside that `when` is true of."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        if not when(error):
            raise
        raise Refused(f"{what}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if memory.ran_out(error):
        return "out of memory"
    if isinstance(error, UserError | Misfit):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {error}".splitlines()[0]
