"""What was read of a run's own numbers, a series a name. Knows no Textual."""

from collections.abc import Mapping

from trainconsole.engine.record.scalars import SCALAR, Found
from trainconsole.engine.runs.branches import Fork
from trainconsole.tui.state.metric_store import Track

VALUE = "value"
"""The column that is drawn."""
OWN = "own:"


def key_of(name: str) -> str:
    """What an own number is called among the curves, whose columns have names that it might have too."""
    return f"{OWN}{name}"


def is_own(key: str) -> bool:
    return key.startswith(OWN)


def name_of(key: str) -> str:
    return key.removeprefix(OWN)


class OwnNumbers:
    """Grows by `take`; `forks` are those of the run, which grow too: what is drawn catches up with them."""

    def __init__(self, forks: Mapping[int, Fork]) -> None:
        self._forks = forks
        self._tracks: dict[str, Track] = {}
        self._last = 0

    def take(self, found: Found) -> None:
        """Records that follow those taken before."""
        for name, records in found:
            track = self._tracks.setdefault(name, Track(SCALAR, at_fork=True))
            track.extend(records, self._forks)
            self._last = max(self._last, int(records["step"].max()))

    def track(self, name: str) -> Track:
        """An empty one for a name that is not known."""
        track = self._tracks.get(name)
        if track is None:
            return EMPTY
        track.catch_up(self._forks)
        return track

    @property
    def keys(self) -> tuple[str, ...]:
        """In the order of their appearance."""
        return tuple(map(key_of, self._tracks))

    @property
    def last_step(self) -> int:
        """The highest step that was logged on any branch, 0 where there is none."""
        return self._last


EMPTY = Track(SCALAR, at_fork=True)
