"""Which curves a run has, and which of them are shown. Knows no Textual."""

import math
from collections.abc import Sequence

import numpy as np

from trainconsole.tui.plotting.columns import named
from trainconsole.tui.plotting.curves import CURVES, MOST, kind_of
from trainconsole.tui.state.scene import Scene
from trainconsole.tui.text.format import harmless


def recorded(scene: Scene | None) -> tuple[str, ...]:
    """The columns of a run's record: where one need not be there, its values are nan."""
    last = scene.track.last if scene is not None else None
    return tuple(
        name
        for name, kind in CURVES.items()
        if kind.always or (last is not None and not math.isnan(last[name]))
    )


def offered(scene: Scene | None) -> tuple[str, ...]:
    """All curves that a run has: those of the record, then own numbers in the order of their appearance."""
    return recorded(scene) + (scene.own.keys if scene is not None else ())


def shown(scene: Scene | None, chosen: Sequence[str]) -> tuple[str, ...]:
    """Those chosen, as far as the run has them, or else the usual ones."""
    here = offered(scene) if chosen else ()
    return tuple(name for name in chosen if name in here)[:MOST] or usual(scene)


def usual(scene: Scene | None) -> tuple[str, ...]:
    """The columns of the record; one without a finite value gives way to own numbers, if there are any."""
    if scene is None or not scene.own.keys:
        return recorded(scene)
    return (*(name for name in recorded(scene) if measured(scene, name)), *scene.own.keys)[:MOST]


def measured(scene: Scene, quantity: str) -> bool:
    """Whether a curve has a finite value."""
    series = scene.series(quantity)
    whole = np.array([0]), np.array([len(series.track)])
    if series.track.reduce(series.column, *whole, "extremes").count[0]:
        return True
    name = named(scene, quantity)
    return kind_of(quantity).validated and any(
        math.isfinite(values.get(name, math.nan)) for _, values in scene.validation
    )


def label(scene: Scene | None, quantity: str) -> str:
    """What a curve is called, harmless to show."""
    return kind_of(quantity).title or harmless(named(scene, quantity) if scene is not None else quantity)
