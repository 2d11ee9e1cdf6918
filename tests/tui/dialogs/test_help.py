import pytest
from support.piloting import Over, pilot, pressed, screen_text, seen
from textual.pilot import Pilot

from trainconsole.tui.dialogs.help import HelpScreen
from trainconsole.tui.keys import ASKED, GROUPS, KEYS


@pytest.mark.parametrize("size", [(120, 40), (200, 60)])
def test_every_key_is_there_with_what_it_does(size):
    text = seen(HelpScreen(), size=size)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for key in KEYS:
        assert any(f"{key.shown} {key.help}" in line for line in lines), key
    assert all(title in text for title in GROUPS.values())
    assert all(asked.name in text for asked in ASKED)


def test_when_low_it_scrolls_to_the_last_line():
    app = Over(HelpScreen())

    async def steps(driver: Pilot[None]) -> None:
        assert KEYS[0].help in screen_text(app)
        await driver.press("end")
        await driver.pause(0.5)
        assert ASKED[-1].name in screen_text(app)
        await driver.press("up")
        await driver.pause()
        assert app.results == []

    pilot(app, (80, 24), steps)


@pytest.mark.parametrize("key", ["escape", "q", "question_mark", "enter"])
@pytest.mark.parametrize("size", [(120, 40), (20, 5)])
def test_it_is_closed(key, size):
    assert pressed(HelpScreen(), [key], size) == [()]
