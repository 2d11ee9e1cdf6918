"""run/host.log: what the training process printed, what it logs, and the warnings of libraries. No torch."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

from trainconsole.engine.common.files import open_regular

# Before and after, what is logged goes nowhere: without a handler it would go to stderr, trace and all.
logging.getLogger("trainconsole").addHandler(logging.NullHandler())


def open_log(run: Path) -> int:
    """A file descriptor to append to; the file is made where there is none.

    Raises OSError: NotRegular where it is a link or something else that is no file.
    """
    return open_regular(run / "host.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


class LogHandler(logging.FileHandler):
    """Of a run's host.log. What a full disk does not take is lost: no traceback, and nothing fails by it.

    Raises OSError as `open_log`.
    """

    def __init__(self, run: Path) -> None:
        super().__init__(run / "host.log", encoding="utf-8")
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))

    def _open(self) -> TextIOWrapper:
        return open(
            open_log(Path(self.baseFilename).parent), "a", encoding="utf-8", errors="backslashreplace"
        )

    def handleError(self, record: logging.LogRecord) -> None:
        """Nobody to tell."""

    def close(self) -> None:
        with suppress(OSError):
            super().close()


@contextmanager
def written(run: Path, heard: logging.Handler) -> Iterator[None]:
    """What is logged and warned of goes into run/host.log meanwhile, and nowhere else; warnings to `heard`
    too.

    Raises OSError as `open_log`.
    """
    handler = LogHandler(run)
    logging.captureWarnings(True)
    warned = logging.getLogger("py.warnings")
    loggers = [logging.getLogger("trainconsole"), warned]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    warned.addHandler(heard)
    try:
        yield
    finally:
        warned.removeHandler(heard)
        for logger, propagate in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.propagate = propagate
        logging.captureWarnings(False)
        handler.close()
