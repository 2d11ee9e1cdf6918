"""Which curves a user chose for a preset or a script: recalled when a run opens, remembered when changed."""

from trainconsole.tui.state import chosen_curves
from trainconsole.tui.state.run_model import Sight
from trainconsole.tui.widgets.curve_grid import Curves


class CurveChoice:
    """For one run."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._recalled = False

    def recall(self, curves: Curves) -> None:
        """Once, when the record tells of the preset."""
        if self._recalled or self._sight.story.started is None:
            return
        self._recalled = True
        curves.chosen = chosen_curves.read(self._sight.preset)

    def take(self, curves: Curves, names: tuple[str, ...]) -> None:
        """Show `names`, and next time too; () for the usual ones."""
        curves.choose(names)
        self._recalled = True
        try:
            chosen_curves.remember(self._sight.preset, names)
        except OSError as error:
            self._sight.story.say(f"which curves were chosen cannot be remembered: {error.strerror}")
