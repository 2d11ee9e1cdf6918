"""Warnings that torch, numpy or a user's own code gave in this process, for the record. No torch."""

import logging
import re
from collections import deque

MOST = 20
"""Texts passed on in one session; host.log has them all."""

LONGEST = 300
PASSED_ON = {"UserWarning", "RuntimeWarning"}
"""Of other kinds are deprecations and the like, which change no result."""

OURS = ("Validating sparse tensor invariants", "To copy construct from a tensor")
"""How these begin: what torch says of how this program, or torch itself, calls it; no user can help it."""

FORM = re.compile(r"(?P<file>.*?):(?P<line>\d+): (?P<kind>\w+): (?P<text>.*)")
"""As warnings.formatwarning has it, which is what logging.captureWarnings logs."""


class Heard(logging.Handler):
    """Keeps each text once, until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()
        self._new: deque[str] = deque()

    def emit(self, record: logging.LogRecord) -> None:
        found = FORM.match(record.getMessage())
        if found is None or found["kind"] not in PASSED_ON:
            return
        text = found["text"].strip()[:LONGEST]
        if text.startswith(OURS):
            return
        if text not in self._said and len(self._said) < MOST:
            self._said.add(text)
            place = "" if "site-packages" in found["file"] else f" ({found['file']}:{found['line']})"
            self._new.append(f"{text}{place}")

    def take(self) -> list[str]:
        """What came since the last time."""
        taken = []
        while self._new:
            taken.append(self._new.popleft())
        return taken
