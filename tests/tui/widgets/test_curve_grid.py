"""Which curves are on the screen."""

import asyncio

import numpy as np
import pytest
from support.scenes import STEPS, rows
from textual.app import App, ComposeResult

from trainconsole.engine.runs.branches import Fork
from trainconsole.tui.plotting.curves import CURVES, MAIN, SMALL
from trainconsole.tui.state.metric_store import Track
from trainconsole.tui.state.scene import Scene
from trainconsole.tui.widgets.curve import Curve
from trainconsole.tui.widgets.curve_grid import Curves

FORKS = {0: Fork(0, None, 0)}


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        yield Curves()


def test_each_curve_of_the_record_has_a_place() -> None:
    assert set(MAIN) | set(SMALL) == CURVES.keys()
    assert tuple(Track()._pyramids) == tuple(CURVES)


@pytest.mark.parametrize(("height", "usual"), [(40, ("loss", "metric", "lr")), (22, MAIN), (12, MAIN[:1])])
def test_a_gradient_norm_appears_with_the_first_row_that_has_one(height: int, usual: tuple[str, ...]) -> None:
    async def main() -> list[tuple[str, ...]]:
        app, seen = Shown(), []
        async with app.run_test(size=(120, height)) as pilot:
            grid, track = app.query_one(Curves), Track()
            for first, last, measured in ((1, 0, False), (1, 9, False), (10, 20, True)):
                if last:
                    read = rows(first, last)
                    read["grad_norm"] = read["grad_norm"] if measured else np.nan
                    track.extend(read, FORKS)
                grid.show(Scene(track, STEPS))
                await pilot.pause()
                seen.append(tuple(curve.kind.column for curve in grid.query(Curve) if curve.display))
        return seen

    first, second, third = asyncio.run(main())
    assert first == second == usual
    assert third == (tuple(CURVES) if height == 40 else usual)
