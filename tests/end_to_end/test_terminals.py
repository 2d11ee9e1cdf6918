"""What is sent to terminals of all kinds: 16 colours, 256, none, and one that is not UTF-8."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from support import run_models as sights
from support.colour_vision import contrast
from support.emulator import Emulator
from support.keyboard_session import braille
from support.process import command
from support.run_files import FINISHED, written

from trainconsole.engine.record import run_directory
from trainconsole.tui import theme

UNSET = [word for name in ("COLORTERM", "LC_ALL", "PYTHONUTF8", "NO_COLOR") for word in ("-u", name)]
SGR = re.compile(rb"\x1b\[([\d;]*)m")
BASIC = [*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)]
STEPS = (0, 95, 135, 175, 215, 255)
GREY_CUBE = [16 + 43 * index for index in range(6)]
XTERM = (
    *("#000000", "#cd0000", "#00cd00", "#cdcd00", "#0000ee", "#cd00cd", "#00cdcd", "#e5e5e5"),
    *("#7f7f7f", "#ff0000", "#00ff00", "#ffff00", "#5c5cff", "#ff00ff", "#00ffff", "#ffffff"),
)
"""The first 16 colours, as xterm has them."""
WORDS = re.compile(r"[\w.]{2,}")
LEGIBLE = 3.0
"""The least contrast of a word, the dimmest included, and whatever is beneath it."""
SETTLES = 0.4
"""Seconds for a screen to be drawn to its end."""

Look = Callable[[Emulator], None]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that is over."""
    path = written(tmp_path / "runs", *sights.events(900), FINISHED)
    recorder = run_directory.Recorder(path)
    recorder.write_rows(sights.rows(900))
    recorder.close()
    return path


def opened(cwd: Path, *args: str, env: Sequence[str]) -> Emulator:
    return Emulator(argv=["env", *UNSET, *env, *command(*args)], cwd=cwd)


def looked_at(console: Emulator, look: Look = lambda console: None) -> Emulator:
    """The result, the curves, and the help over them."""
    console.until("Completed")
    console.quiet(SETTLES)
    look(console)
    console.press("escape")
    console.until(lambda text: "Completed" not in text)
    console.press("?")
    console.until("a tenth of the learning rate")
    console.quiet(SETTLES)
    look(console)
    console.press("escape")
    console.until(lambda text: "a tenth of the learning rate" not in text)
    console.quiet(SETTLES)
    look(console)
    return console


def shown(run: Path, *env: str) -> Emulator:
    return looked_at(opened(run.parent.parent, "attach", run.name, env=env))


def left(console: Emulator) -> bytes:
    console.press("q")
    assert console.end() == 0
    return console.sent


def codes(sent: bytes) -> Iterator[tuple[int, ...]]:
    """The colours that were set: (31,), (38, 5, 75), (38, 2, 95, 175, 255)."""
    for found in SGR.finditer(sent):
        numbers = [int(part or 0) for part in found[1].split(b";")]
        while numbers:
            if numbers[0] in (38, 48):
                length = 3 if numbers[1] == 5 else 5
                yield tuple(numbers[:length])
                numbers = numbers[length:]
            else:
                first, *numbers = numbers
                if first in BASIC:
                    yield (first,)


def xterm(number: int) -> str:
    """A colour of the 256 by its number, as "#rrggbb"."""
    if number < 16:
        return XTERM[number]
    if number >= 232:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    parts = (STEPS[(number - 16) // 36], STEPS[(number - 16) // 6 % 6], STEPS[(number - 16) % 6])
    return "#" + "".join(f"{part:02x}" for part in parts)


def test_256_colours_are_those_of_the_theme(run: Path) -> None:
    with shown(run, "TERM=xterm-256color") as console:
        used = set(codes(left(console)))
    assert {code[1] for code in used} == {5}
    drawn = {xterm(code[2]) for code in used if code[0] == 38}
    wanted = {theme.TRAIN, theme.TRAIN_RAW, theme.VALIDATION, theme.RATE, theme.GRADIENT, theme.BEST}
    assert wanted <= drawn


def test_16_colours_are_legible(run: Path) -> None:
    faint: set[tuple[str, str, str]] = set()
    with opened(run.parent.parent, "attach", run.name, env=["TERM=xterm"]) as console:
        sent = left(looked_at(console, lambda console: faint.update(dim_words(console))))
    assert {len(code) for code in codes(sent)} == {1}
    assert faint == set()


def test_16_colours_show_which_preset_is_chosen(tmp_path: Path) -> None:
    with opened(tmp_path, env=["TERM=xterm"]) as console:
        console.until("fashion-mnist")
        console.quiet(SETTLES)
        assert set(dim_words(console)) == set()
        chosen = [line for line in range(40) if console.screen.buffer[line][3].bg not in ("black", "default")]
        first, *rest = chosen
        assert console.lines[first].split()[1] == "digits"
        assert rest in ([], [first + 1])
        console.press("escape")
        assert console.end() == 0


def dim_words(console: Emulator) -> Iterator[tuple[str, str, str]]:
    """Words that are hardly to be read, with their colours, on the screen of 16 colours."""
    names = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
    hues = dict(zip((*names, *(f"bright{name}" for name in names)), XTERM, strict=True))
    hues |= {"default": XTERM[7], "brightyellow": XTERM[11]}
    for y, line in enumerate(console.screen.display):
        for word in WORDS.finditer(line):
            cell = console.screen.buffer[y][word.start()]
            ground = hues["black" if cell.bg == "default" else cell.bg]
            if contrast(hues[cell.fg], ground, "normal") < LEGIBLE:
                yield word[0], cell.fg, cell.bg


def test_a_locale_without_utf8_gets_ascii(run: Path) -> None:
    with shown(run, "TERM=xterm-256color", "LC_ALL=C") as console:
        assert "training" not in console.text
        assert "***" in console.text
        assert left(console).isascii()


def test_no_color_is_greys(run: Path) -> None:
    with shown(run, "TERM=xterm-256color", "NO_COLOR=1") as console:
        assert len(braille(console.text)) > 20
        used = set(codes(left(console)))
    assert {code[2] for code in used} <= {*GREY_CUBE, *range(232, 256)}


def test_no_color_on_16_colours_is_greys(run: Path) -> None:
    with shown(run, "TERM=xterm", "NO_COLOR=1") as console:
        used = {code[0] % 10 + (60 if code[0] >= 90 else 0) for code in codes(left(console))}
    assert used <= {0, 7, 60, 67}
