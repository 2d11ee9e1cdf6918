"""How often the console may draw: it watches its own processor time and stays within a share of one core."""

from collections import deque

SHARE = 0.028
"""Of one core: 3 % where it does not come out quite as planned."""
SPAN = 4.0
"""Seconds over which the cost of a frame is taken: all that the process does, by frames."""
FASTEST = 0.25
"""Seconds between two frames where drawing is cheap: 4 frames/s."""
SLOWEST = 2.0


class Governor:
    """Fed with the clock and the processor time of this process, both in seconds, at each frame."""

    def __init__(self, fastest: float = FASTEST, share: float = SHARE) -> None:
        self.interval = fastest
        self._fastest = fastest
        self._share = share
        self._seen: deque[tuple[float, float]] = deque()

    def frame(self, clock: float, spent: float) -> float:
        """A frame was drawn; returns the seconds until the next may be: what a frame costs, by the share."""
        self._seen.append((clock, spent))
        while clock - self._seen[0][0] > SPAN and len(self._seen) > 2:
            self._seen.popleft()
        if len(self._seen) > 1:
            cost = (spent - self._seen[0][1]) / (len(self._seen) - 1)
            self.interval = min(max(cost / self._share, self._fastest), SLOWEST)
        return self.interval
