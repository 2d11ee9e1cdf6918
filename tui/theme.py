"""The colours. All of them are in the 256-colour cube, so that a terminal over SSH shows the same ones.

Curves are told apart by hue and lightness that the common kinds of colour-blindness keep apart (after Okabe
and Ito), and by line style where there is no colour.
"""

from textual.theme import Theme

TRAIN = "#5fafff"
TRAIN_RAW = "#005f87"
VALIDATION = "#ffaf00"
RATE = "#5fffd7"
RATE_AHEAD = "#5f8787"
GRADIENT = "#d7afd7"
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

THEME = Theme(
    name="trainconsole",
    primary=TRAIN,
    secondary=RATE,
    accent=VALIDATION,
    warning=BAD,
    error="#ff5f5f",
    success=RATE,
    foreground=TEXT,
    background=BACKGROUND,
    surface=SURFACE,
    panel=PANEL,
    dark=True,
    variables={
        "border": "#444444",
        "border-blurred": "#303030",
        "footer-key-foreground": TRAIN,
        "block-cursor-text-style": "none",
    },
)
