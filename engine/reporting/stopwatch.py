"""Seconds of training, pauses left out, on a clock that nobody can set. No torch."""

import time


class Stopwatch:
    """Runs from `start` to `stop`; `seconds` goes on from where it was, also from an earlier session."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        return self._before + (time.monotonic() - self._since if self._since is not None else 0.0)

    @property
    def running(self) -> bool:
        return self._since is not None

    def start(self) -> None:
        if self._since is None:
            self._since = time.monotonic()

    def set(self, seconds: float) -> None:
        """Go on from `seconds`, running or stopped as it is."""
        running = self._since is not None
        self._before, self._since = seconds, None
        if running:
            self.start()

    def stop(self) -> None:
        self._before, self._since = self.seconds, None
