"""The colours of the curves stay apart and readable for all kinds of sight, on 256 colours too."""

from itertools import combinations

import pytest
from support.colour_vision import SIGHTS, apart, contrast, lab, seen

from trainconsole.tui import theme
from trainconsole.tui.plotting.curves import CURVES
from trainconsole.tui.widgets.curve import COLORS

LINES = ("TRAIN", "VALIDATION", "RATE", "GRADIENT", "OWN", "BEST", "BAD")
DIM = ("TRAIN_RAW", "OWN_RAW", "ABANDONED")
OKABE_ITO = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
"""M. Okabe, K. Ito: Color Universal Design, 2008: the palette made to be told apart by everybody."""

STEPS = ("00", "5f", "87", "af", "d7", "ff")
CUBE = {f"#{r}{g}{b}" for r in STEPS for g in STEPS for b in STEPS}
GREYS = {"#" + f"{8 + 10 * index:02x}" * 3 for index in range(24)}
"""Colours 16 to 231 and 232 to 255 of xterm."""

LINE, TEXT = 3.0, 4.5
"""WCAG 2.2: contrast of graphics (1.4.11) and of text (1.4.3)."""
VISIBLE = 2.0
"""Of what is dim on purpose: it is there, and never as bright as what it stands behind."""


def colour(name: str) -> str:
    return str(getattr(theme, name))


def bound() -> float:
    """No two of ours are closer than the closest two of Okabe and Ito's are to protanopes, deuteranopes and
    tritanopes: 16, seven times what is just noticeable."""
    return min(apart(a, b, sight) for sight in SIGHTS for a, b in combinations(OKABE_ITO, 2))


def test_the_bound_is_far_above_what_is_just_noticeable() -> None:
    assert bound() == pytest.approx(16.05, abs=0.01)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize(("one", "other"), combinations(LINES, 2))
def test_curves_stay_apart(sight, one, other):
    assert apart(colour(one), colour(other), sight) >= bound()


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("name", LINES)
def test_curves_are_readable_and_so_are_their_figures(sight, name):
    assert contrast(colour(name), theme.BACKGROUND, sight) >= max(LINE, TEXT)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("name", ["TEXT", "MUTED", "MARK"])
@pytest.mark.parametrize("ground", ["BACKGROUND", "SURFACE"])
def test_words_are_readable(sight, name, ground):
    assert contrast(colour(name), colour(ground), sight) >= TEXT


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("name", ["AXIS", "RATE_AHEAD"])
def test_axes_and_what_is_to_come_are_to_be_seen(sight, name):
    assert contrast(colour(name), theme.BACKGROUND, sight) >= LINE


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("name", DIM)
def test_what_is_dim_is_seen_behind_the_curves(sight, name):
    dim = contrast(colour(name), theme.BACKGROUND, sight)
    assert VISIBLE <= dim < contrast(theme.TRAIN, theme.BACKGROUND, sight) / 2


def test_a_terminal_with_256_colours_shows_the_same_ones():
    names = {value for value in vars(theme).values() if isinstance(value, str) and value[:1] == "#"}
    drawn = {*COLORS.values(), *(hue for kind in CURVES.values() for hue in (kind.line, kind.raw))}
    assert names | drawn <= CUBE | GREYS
    assert {colour(name) for name in LINES} <= CUBE


def test_lab_and_contrast_are_what_the_standards_say():
    assert lab(seen("#ffffff", "normal")) == pytest.approx([100, 0, 0], abs=1e-3)
    assert lab(seen("#ff0000", "normal")) == pytest.approx([53.24, 80.09, 67.20], abs=0.01)
    assert contrast("#000000", "#ffffff", "normal") == pytest.approx(21)
    assert contrast("#767676", "#ffffff", "normal") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("sight", SIGHTS)
def test_greys_are_greys_to_everybody(sight):
    assert seen("#808080", sight) == pytest.approx(seen("#808080", "normal"), abs=1e-5)
