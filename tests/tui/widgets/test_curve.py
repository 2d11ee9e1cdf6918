"""The widget: what stands on the screen, and that no more is sent than what changed."""

import asyncio

import numpy as np
import pytest
from support.scenes import STEPS, rows, scene
from textual.app import App

from trainconsole.engine.runs.branches import Fork
from trainconsole.tui.plotting.curve_image import pictured
from trainconsole.tui.plotting.curves import CURVES
from trainconsole.tui.plotting.view import View
from trainconsole.tui.state.metric_store import Track
from trainconsole.tui.state.scene import Scene
from trainconsole.tui.widgets.curve import Curve, Tile


class Shown(App[None]):
    def compose(self):
        yield Curve(CURVES["loss"])


def screen(app):
    return ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]


def ran(check, size=(84, 17)):
    async def main():
        app = Shown()
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await check(app, app.query_one(Curve), pilot)

    asyncio.run(main())


@pytest.fixture
def sent(monkeypatch):
    """(tile's start, region) of everything that tiles were told to send."""
    found = []
    refresh = Tile.refresh

    def noted(self, *regions, **options):
        found.extend((self.virtual_region.x, region) for region in regions)
        return refresh(self, *regions, **options)

    monkeypatch.setattr(Tile, "refresh", noted)
    return found


@pytest.mark.parametrize("size", [(84, 17), (190, 50), (20, 5), (16, 3), (5, 1), (1, 1)])
def test_the_screen_shows_the_picture(size):
    async def check(app, curve, pilot):
        curve.show(scene("mid"), View())
        await pilot.pause()
        chars = pictured(scene("mid"), View(), "loss", size).chars
        assert screen(app) == ["".join(map(chr, row)) for row in chars]

    ran(check, size)


def test_a_resize_draws_it_anew():
    async def check(app, curve, pilot):
        curve.show(scene("mid"), View())
        for size in ((40, 9), (20, 5), (120, 30)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            chars = pictured(scene("mid"), View(), "loss", size).chars
            assert screen(app)[1:] == ["".join(map(chr, row)) for row in chars][1:]

    ran(check)


def test_only_cells_that_differ_are_sent(sent):
    async def check(app, curve, pilot):
        track, forks = Track(), {0: Fork(0, None, 0)}
        track.extend(rows(1, 2000), forks)
        told = Scene(track, STEPS)
        curve.show(told, View())
        before = pictured(told, View(), "loss", (84, 17))
        await pilot.pause()
        sent.clear()
        track.extend(rows(2001, 2100), forks)
        curve.show(told, View())
        after = pictured(told, View(), "loss", (84, 17), previous=before.limits)
        differs = (before.chars != after.chars) | (before.pens != after.pens)
        marked = np.zeros_like(differs)
        for start, (x, y, width, height) in sent:
            marked[y : y + height, start + x : start + x + width] = True
        assert not (differs & ~marked).any()
        assert marked.sum() < 80
        await pilot.pause()
        assert screen(app) == ["".join(map(chr, row)) for row in after.chars]

    ran(check)


def test_nothing_is_sent_where_nothing_is_new(sent):
    async def check(app, curve, pilot):
        curve.show(scene("paused"), View())
        told = curve._seen[0]
        await pilot.pause()
        sent.clear()
        for _ in range(3):
            curve.show(told, View())
        assert sent == []

    ran(check)


def test_the_one_with_the_keys_has_a_border_in_colour(sent):
    async def check(app, curve, pilot):
        told = scene("mid")
        curve.show(told, View())
        await pilot.pause()
        quiet = app.screen._compositor.render_strips()[0]._segments[0].style
        curve.set_class(True, "-active")
        curve.show(told, View())
        await pilot.pause()
        assert app.screen._compositor.render_strips()[0]._segments[0].style.color != quiet.color

    ran(check)


def test_the_cursor_finds_the_steps_of_the_columns():
    async def check(app, curve, pilot):
        assert len(curve.steps) == 0
        curve.show(scene("mid"), View(cursor=1500))
        assert curve.steps[0] > 0
        assert curve.steps[-1] == scene("mid").done
        moved = View(cursor=1500).moved(1, curve.steps.tolist()).cursor
        assert 1500 < moved < 1500 + 2 * STEPS / 70

    ran(check)


def test_without_colours_it_is_drawn_in_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def check(app, curve, pilot):
        curve.show(scene("mid"), View())
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        colors = [s.style.color.triplet for strip in strips for s in strip if s.style and s.style.color]
        assert all(red == green == blue for red, green, blue in colors)
        assert any(s.style.bold for strip in strips for s in strip if s.style)

    ran(check)
