"""The colours. All of them are in the 256-colour cube, so that a terminal over SSH shows the same ones.

Curves are told apart by hue and lightness that the common kinds of colour-blindness keep apart (after Okabe
and Ito), and by line style where there is no colour.
"""

from textual.theme import Theme

TRAIN = "#5fafff"
TRAIN_RAW = "#005f87"
VALIDATION = "#ffaf00"
RATE = "#5fd7af"
RATE_AHEAD = "#5f8787"
GRADIENT = "#d787d7"
ABANDONED = "#585858"
BEST = "#ffff87"
MARK = "#bcbcbc"
BAD = "#ff8700"
AXIS = "#6c6c6c"
TEXT = "#d0d0d0"
MUTED = "#8a8a8a"

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
    success="#5fd7af",
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
