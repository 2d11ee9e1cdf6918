"""All curves of a run: which of them have room, which has the keys, and the view that they share."""

from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from trainconsole.tui import keys
from trainconsole.tui.plotting.choice import label, offered, shown
from trainconsole.tui.plotting.curves import CURVES, MAIN, MOST, SMALL, kind_of, placed
from trainconsole.tui.plotting.view import View
from trainconsole.tui.state.scene import Reach, Scene
from trainconsole.tui.widgets.cached_lines import Column, Row
from trainconsole.tui.widgets.curve import SMALL_TILES, Curve

TWO, ALL = 20, 26
"""Lines from which on two curves, or all, have room."""
NARROW_TWO = 26
PAGE = 10
"""Columns that the cursor moves by where the window would be panned by its width."""


class Curves(Column, can_focus=True):
    """Takes the keys of the group `look`. `show` gives it what there is to draw; it draws when told to.

    `chosen` are the curves that somebody chose, () where nobody has: then the usual ones are shown.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding(*entry) for entry in keys.bindings("look")]

    class Moved(Message):
        """The view is another: draw now."""

    class Choosing(Message):
        """Somebody wants to choose which curves are shown."""

    def __init__(self) -> None:
        super().__init__(id="curves")
        self.view = View()
        self.enlarged = False
        self.active = MAIN[0]
        self.narrow = False
        self.chosen: tuple[str, ...] = ()
        self._scene: Scene | None = None
        self._known: tuple[str, ...] = ()
        self._above = [Curve(CURVES[name]) for name in MAIN]
        self._below = [Curve(CURVES[name], tiles=SMALL_TILES) for name in SMALL]
        self._places: dict[str, Curve] = {}

    def compose(self) -> ComposeResult:
        yield from self._above
        yield Row(*self._below, id="small")

    def show(self, scene: Scene) -> None:
        """Draw `scene` in the view there is."""
        self._scene = scene
        if self.known != self._known:
            self.fit()
        for curve in self._places.values():
            curve.show(scene, self.view)

    def on_resize(self) -> None:
        self.fit()

    def fit(self) -> None:
        """Show the curves that have room."""
        self._known = self.known
        if self.active not in self._known:
            self.active = self._known[0]
        above, below = placed(self.shown)
        self._places = _filled(self._above, above) | _filled(self._below, below)
        small = self.query_one("#small")
        small.display = bool(below)
        small.styles.height = max(5, self.size.height // 5)
        for name, curve in self._places.items():
            curve.set_class(name == self.active and len(self._places) > 1, "-active")

    def listed(self) -> dict[str, str]:
        """All curves of this run, and what they are called."""
        return {name: label(self._scene, name) for name in offered(self._scene)}

    @property
    def known(self) -> tuple[str, ...]:
        """Those chosen of them, or the usual ones."""
        return shown(self._scene, self.chosen)

    def choose(self, names: tuple[str, ...]) -> None:
        """Show these, at most MOST, from now on; () for the usual ones."""
        self.chosen = names[:MOST]
        self._again()

    @property
    def shown(self) -> tuple[str, ...]:
        """Those that are on the screen."""
        if self._alone:
            return (self.active,)
        return self.known if self.size.height >= ALL else placed(self.known)[0]

    @property
    def _alone(self) -> bool:
        return self.enlarged or self.size.height < (NARROW_TWO if self.narrow else TWO)

    @property
    def reach(self) -> Reach | None:
        """Of the axis that is shown, None before there is a scene."""
        return self._scene.reach(self.view.axis) if self._scene is not None else None

    def look(self, view: View) -> None:
        """Show the same from elsewhere."""
        self.view = view
        self.post_message(self.Moved())

    def action_next_curve(self) -> None:
        names = self.known if self._alone else self.shown
        place = names.index(self.active) + 1 if self.active in names else 0
        self.active = names[place % len(names)]
        self._again()

    def action_choose(self) -> None:
        self.post_message(self.Choosing())

    def action_enlarge(self) -> None:
        self.enlarged = not self.enlarged
        self._again()

    def action_pan(self, share: float) -> None:
        """The window, or while inspecting the cursor."""
        if self.view.cursor is not None:
            columns = (1 if abs(share) < 1 else PAGE) * (1 if share > 0 else -1)
            self.look(self.view.moved(columns, self._curve.steps.tolist()))
        elif (reach := self.reach) is not None:
            self.look(self.view.panned(share, reach))

    def action_zoom(self, factor: float) -> None:
        if (reach := self.reach) is None or self._scene is None:
            return
        about = None
        if self.view.cursor is not None:
            about = float(self._scene.along(self.view.axis, np.array([float(self.view.cursor)]))[0])
        self.look(self.view.zoomed(factor, reach, about))

    def action_whole(self) -> None:
        self.look(self.view.whole())

    def action_tail(self) -> None:
        if (reach := self.reach) is not None:
            self.look(self.view.tail(reach))

    def action_log_scale(self) -> None:
        self.look(self.view.toggled_log())

    def action_x_axis(self) -> None:
        self.look(self.view.next_axis())

    def action_smoothing(self) -> None:
        self.look(self.view.next_smoothing())

    def action_inspect(self) -> None:
        """The cursor, at the newest step that is shown; or none."""
        steps = self._curve.steps
        if self.view.cursor is not None:
            self.look(self.view.inspecting(None))
        elif len(steps) and self._scene is not None:
            self.look(self.view.inspecting(min(int(steps[-1]), self._scene.done)))

    @property
    def _curve(self) -> Curve:
        return self._places[self.active]

    def _again(self) -> None:
        self.fit()
        self.post_message(self.Moved())


def _filled(curves: list[Curve], names: tuple[str, ...]) -> dict[str, Curve]:
    """Have the first of `curves` show those named, and no other be seen."""
    for at, curve in enumerate(curves):
        curve.display = at < len(names)
    found = dict(zip(names, curves, strict=False))
    for name, curve in found.items():
        curve.become(kind_of(name))
    return found
