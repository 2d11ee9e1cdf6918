"""The colours. All of them are in the 256-colour cube, so that a terminal over SSH shows the same ones.

Curves are told apart by hue and lightness that the common kinds of colour-blindness keep apart (after Okabe
and Ito), and by line style where there is no colour.
"""

TRAIN = "#5fafff"
TRAIN_RAW = "#005f87"
VALIDATION = "#ffaf00"
RATE = "#5fffd7"
RATE_AHEAD = "#5f8787"
GRADIENT = "#d7afd7"
GRADIENT_RAW = "#875f87"
OWN = "#87d787"
OWN_RAW = "#005f00"
"""Of own numbers."""
ABANDONED = "#585858"
BEST = "#ffff87"
MARK = "#bcbcbc"
BAD = "#ff875f"
AXIS = "#6c6c6c"
TEXT = "#d0d0d0"
MUTED = "#8a8a8a"
HELP = "#bcbcbc"
"""What is said below a choice; legible where that is highlighted, too."""

BACKGROUND = "#121212"
SURFACE = "#1c1c1c"
PANEL = "#262626"
