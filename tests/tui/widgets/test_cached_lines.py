"""Lines that did not change are not asked for again, and those that did are."""

from support.piloting import pilot, screen_text
from textual.app import App
from textual.geometry import Region
from textual.strip import Strip

from trainconsole.tui.widgets.cached_lines import Kept


class Told(Kept):
    """Each line says what `words` has; `asked` are the lines that Textual wanted."""

    DEFAULT_CSS = "Told { width: 20; height: 6; border: round white; }"

    def __init__(self):
        super().__init__()
        self.words = ["one", "two", "three", "four"]
        self.asked = []

    def render_line(self, y):
        self.asked.append(y)
        return Strip.blank(self.size.width) if y > 3 else _strip(self.words[y], self.size.width)


def _strip(text, width):
    from rich.segment import Segment

    return Strip([Segment(text)]).adjust_cell_length(width)


class Shown(App[None]):
    CSS = "Told.-wide { width: 30; } Told.-heavy { border: heavy white; }"

    def compose(self):
        yield Told()
        yield Told()


def ran(steps):
    app = Shown()

    async def play(driver):
        await driver.pause()
        first, second = app.query(Told)
        first.asked.clear()
        second.asked.clear()
        await steps(app, first, second, driver)

    pilot(app, (40, 14), play)


def test_only_the_line_that_was_named_is_asked_for():
    async def steps(app, first, second, driver):
        first.words[2] = "drei"
        first.refresh(Region(0, 2, 4, 1))
        await driver.pause()
        screen_text(app)
        assert (first.asked, second.asked) == ([2], [])
        assert "drei" in screen_text(app)

    ran(steps)


def test_without_a_region_all_are():
    async def steps(app, first, second, driver):
        first.words[:] = ["eins", "zwei", "drei", "vier"]
        first.refresh()
        await driver.pause()
        text = screen_text(app)
        assert sorted(set(first.asked)) == [0, 1, 2, 3]
        assert all(word in text for word in first.words)

    ran(steps)


def test_another_size_or_style_is_drawn_anew():
    async def steps(app, first, second, driver):
        first.set_class(True, "-wide")
        await driver.pause()
        assert "\u256d" + "\u2500" * 28 + "\u256e" in screen_text(app)
        first.set_class(True, "-heavy")
        await driver.pause()
        assert "\u250f" + "\u2501" * 28 + "\u2513" in screen_text(app)
        await driver.resize_terminal(24, 14)
        await driver.pause()
        assert "one" in screen_text(app)

    ran(steps)


def test_under_another_screen_and_back():
    async def steps(app, first, second, driver):
        from textual.screen import Screen

        app.push_screen(Screen())
        await driver.pause()
        first.words[0] = "uno"
        first.refresh(Region(0, 0, 3, 1))
        await driver.pause()
        app.pop_screen()
        await driver.pause()
        assert "uno" in screen_text(app)
        assert "four" in screen_text(app)

    ran(steps)
