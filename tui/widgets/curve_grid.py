"""All curves of a run: which of them have room, which has the keys, and the view that they share."""

import math
from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from trainconsole.tui import keys
from trainconsole.tui.plotting.curves import CURVES, MAIN, SMALL
from trainconsole.tui.plotting.view import View
from trainconsole.tui.state.scene import Reach, Scene
from trainconsole.tui.widgets.cached_lines import Column, Row
from trainconsole.tui.widgets.curve import Curve

TWO, ALL = 20, 26
"""Lines from which on two curves, or all, have room."""
NARROW_TWO = 26
PAGE = 10
"""Columns that the cursor moves by where the window would be panned by its width."""


class Curves(Column, can_focus=True):
    """Takes the keys of the group `look`. `show` gives it what there is to draw; it draws when told to."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding(*entry) for entry in keys.bindings("look")]

    class Moved(Message):
        """The view is another: draw now."""

    def __init__(self) -> None:
        super().__init__(id="curves")
        self.view = View()
        self.enlarged = False
        self.active = MAIN[0]
        self.narrow = False
        self._scene: Scene | None = None
        self._known: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        yield from (Curve(CURVES[name]) for name in MAIN)
        with Row(id="small"):
            yield from (Curve(CURVES[name]) for name in SMALL)

    def show(self, scene: Scene) -> None:
        """Draw `scene` in the view there is."""
        self._scene = scene
        if (known := recorded(scene)) != self._known:
            self._known = known
            self.fit()
        for name in self.shown:
            self.query_one(f"#{name}", Curve).show(scene, self.view)

    def on_resize(self) -> None:
        self.fit()

    def fit(self) -> None:
        """Show the curves that have room."""
        shown = self.shown
        for name in (*MAIN, *SMALL):
            curve = self.query_one(f"#{name}", Curve)
            curve.display = name in shown
            curve.set_class(name == self.active and len(shown) > 1, "-active")
        small = self.query_one("#small")
        small.display = any(name in SMALL for name in shown)
        small.styles.height = "1fr" if self._alone else max(5, self.size.height // 5)

    @property
    def known(self) -> tuple[str, ...]:
        """The curves of this run."""
        return recorded(self._scene)

    @property
    def shown(self) -> tuple[str, ...]:
        """Those that are on the screen."""
        if self._alone:
            return (self.active,)
        return self.known if self.size.height >= ALL else MAIN

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
        return self.query_one(f"#{self.active}", Curve)

    def _again(self) -> None:
        self.fit()
        self.post_message(self.Moved())


def recorded(scene: Scene | None) -> tuple[str, ...]:
    """The curves of a run: where one need not be there, its values are nan."""
    last = scene.track.last if scene is not None else None
    return tuple(
        name
        for name, kind in CURVES.items()
        if kind.always or (last is not None and not math.isnan(last[name]))
    )
