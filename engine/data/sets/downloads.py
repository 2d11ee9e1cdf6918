"""Fetching data sets: into a scratch folder first, so that what stands in its place is whole."""

import http.client
import os
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import harmless

TIMEOUT = 15.0
UNREACHABLE = (OSError, RuntimeError, http.client.HTTPException)


def fetch(directory: Path, download: Callable[[Path], object], wanted: list[str]) -> str:
    """Have `download(scratch)` fetch files, then move those of `wanted` (relative paths) into `directory`.

    Progress goes to stderr. Returns "" or, in a few words, why it could not be fetched; then `directory` is
    as it was. Raises UserError where it cannot be written.
    """
    print(harmless(f"fetching data into {directory}"), file=sys.stderr, flush=True)
    with _made(directory), tempfile.TemporaryDirectory(prefix=".fetch-", dir=directory) as scratch:
        try:
            with _bounded():
                download(Path(scratch))
        except UNREACHABLE as error:
            return (
                (str(error).strip().splitlines() or [type(error).__name__])[-1]
                .strip("<>")
                .removeprefix("urlopen error ")
            )
        for name in wanted:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(scratch) / name, directory / name)
    return ""


@contextmanager
def _made(directory: Path) -> Iterator[None]:
    """`directory` exists; one made here that stays empty is removed."""
    missing = [p for p in (directory, *directory.parents) if not p.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UserError(
            f"data directory {directory}: cannot be written: {error.strerror}\nGive another with --data-dir."
        ) from None
    finally:
        with suppress(OSError):
            for path in missing:
                path.rmdir()


class _Timeout(urllib.request.BaseHandler):
    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        request.timeout = TIMEOUT
        return request

    https_request = http_request


@contextmanager
def _bounded() -> Iterator[None]:
    """No request of urllib's waits longer than TIMEOUT seconds for an answer.

    torchvision gives none of its own, and socket.setdefaulttimeout would reach sockets that are not ours.
    """
    urllib.request.install_opener(urllib.request.build_opener(_Timeout()))
    try:
        yield
    finally:
        urllib.request.install_opener(None)
