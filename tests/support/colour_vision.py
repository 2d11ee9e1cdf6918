"""How colours look to eyes that lack a kind of cone, and how far apart and how readable they are then.

Colours are "#rrggbb" (sRGB).
"""

from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

Vector = npt.NDArray[np.float64]
Sight = Literal["normal", "protanopia", "deuteranopia", "tritanopia"]

SIGHTS: dict[Sight, Vector] = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
"""Of linear RGB, severity 1.0. G. M. Machado, M. M. Oliveira, L. A. F. Fernandes: A Physiologically-based
Model for Simulation of Color Vision Deficiency. IEEE TVCG 15(6), 2009."""

TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""IEC 61966-2-1, D65."""
WHITE = TO_XYZ.sum(axis=1)


def linear(colour: str) -> Vector:
    """Linear RGB, (3,), 0 to 1."""
    part = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def seen(colour: str, sight: Sight) -> Vector:
    """Linear RGB, (3,), 0 to 1, of what looks to everybody like `colour` does to `sight`."""
    return np.clip(SIGHTS[sight] @ linear(colour), 0, 1)


def lab(rgb: Vector) -> Vector:
    """CIE 1976 L*a*b* of linear RGB."""
    t = TO_XYZ @ rgb / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(one: str, other: str, sight: Sight) -> float:
    """CIE76: the distance in L*a*b*; 2.3 is just noticeable (Mahy, Van Eycken, Oosterlinck 1994)."""
    return float(np.linalg.norm(lab(seen(one, sight)) - lab(seen(other, sight))))


def contrast(one: str, other: str, sight: Sight) -> float:
    """WCAG 2: (lighter + 0.05) / (darker + 0.05) by relative luminance, 1 to 21."""
    dark, light = sorted(float(TO_XYZ[1] @ seen(colour, sight)) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


class Eyes(LineFilter):
    """Put into an app's filters, it shows what `sight` would see."""

    def __init__(self, sight: Sight) -> None:
        super().__init__()
        self.sight: Sight = sight

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            Segment(text, style and simulated(style, self.sight), control)
            for text, style, control in segments
        ]


@lru_cache(4096)
def simulated(style: Style, sight: Sight) -> Style:
    """`style` with its colours as `sight` sees them."""
    colours = (_simulated(colour, sight) for colour in (style.color, style.bgcolor))
    return style + Style.from_color(*colours)


def _simulated(colour: RichColor | None, sight: Sight) -> RichColor | None:
    if colour is None or colour.is_default:
        return colour
    part = seen(colour.get_truecolor().hex, sight)
    coded = np.where(part <= 0.0031308, part * 12.92, 1.055 * part ** (1 / 2.4) - 0.055)
    red, green, blue = np.rint(coded * 255).astype(int).tolist()
    return RichColor.from_rgb(red, green, blue)
