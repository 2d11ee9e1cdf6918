"""The one table of keys: bindings, footer, help, command palette and the README follow it. No torch."""

from dataclasses import dataclass
from typing import Literal

Group = Literal["steer", "look", "leave"]
GROUPS: dict[Group, str] = {"steer": "steer the run", "look": "look at the curves", "leave": "leave"}


@dataclass(frozen=True)
class Key:
    """`keys` by Textual's names, comma between two; `shown` as printed on a keyboard.

    `action` is the run screen's action, or empty where the key just sends `command`. `rank` orders the
    footer, which drops the highest ranks first where it lacks room; 0 keeps a key out of it.
    """

    keys: str
    shown: str
    brief: str
    help: str
    group: Group
    action: str = ""
    command: str = ""
    rank: int = 0

    @property
    def bound(self) -> str:
        """The action as a binding has it."""
        return self.action or f"send({self.command!r})"


KEYS = (
    Key("space", "space", "pause", "pause the training, and resume it", "steer", "pause", rank=1),
    Key("n", "n", "step", "train one step, then pause", "steer", command="next", rank=14),
    Key("plus,equals_sign", "+ =", "rate x2", "double the learning rate", "steer", command="lr x2", rank=6),
    Key("minus", "-", "rate x0.5", "halve the learning rate", "steer", command="lr x0.5", rank=7),
    Key("asterisk", "*", "rate x10", "ten times the learning rate", "steer", command="lr x10"),
    Key("slash", "/", "rate x0.1", "a tenth of the learning rate", "steer", command="lr x0.1"),
    Key("l", "l", "rate", "type a learning rate", "steer", "rate", rank=13),
    Key("s", "s", "schedule", "choose a learning-rate schedule", "steer", "schedule", rank=4),
    Key("o", "o", "optimizer", "choose an optimizer", "steer", "optimizer", rank=5),
    Key("w", "w", "regularise", "weight decay, clipping, dropout, ...", "steer", "regularise", rank=10),
    Key("u", "u", "undo", "take back the last change, weights included", "steer", command="undo", rank=8),
    Key("b", "b", "best", "rewind to the best checkpoint", "steer", command="rewind best", rank=12),
    Key("c", "c", "checkpoint", "write a checkpoint now", "steer", command="checkpoint", rank=15),
    Key("v", "v", "evaluate", "evaluate on the validation set now", "steer", command="evaluate", rank=16),
    Key("e", "e", "stop early", "stop early: keep the best weights, or the last", "steer", "stop", rank=9),
    Key("tab", "tab", "next curve", "put the keys on the next curve", "look", "next_curve", rank=19),
    Key("z", "z", "enlarge", "enlarge a curve, and back", "look", "enlarge", rank=17),
    Key("left,right", "← →", "pan", "pan", "look"),
    Key("up,down", "↑ ↓", "zoom", "zoom in and out", "look"),
    Key("pagedown,pageup", "pgup pgdn", "pan a page", "pan by a whole width", "look"),
    Key("home", "home", "whole run", "the whole run", "look", "whole"),
    Key("end", "end", "tail", "follow the tail", "look", "tail"),
    Key("g", "g", "curves", "choose which curves are shown", "look", "choose", rank=23),
    Key("y", "y", "log scale", "logarithmic scale", "look", "log_scale", rank=20),
    Key("x", "x", "x axis", "x axis in steps, epochs or time", "look", "x_axis", rank=21),
    Key("m", "m", "smoothing", "smoothing: more, less, none", "look", "smoothing", rank=22),
    Key("i", "i", "inspect", "inspect: a cursor, step and exact values", "look", "inspect", rank=18),
    Key("question_mark", "?", "help", "every key", "leave", "help", rank=2),
    Key("d", "d", "detach", "leave it training, and go", "leave", "detach", rank=11),
    Key("q", "q", "quit", "quit: leave it training, or stop and save", "leave", "leave", rank=3),
)

MOVES = {
    "left": "pan(-0.25)",
    "right": "pan(0.25)",
    "up": "zoom(0.5)",
    "down": "zoom(2.0)",
    "pageup": "pan(-1.0)",
    "pagedown": "pan(1.0)",
}
"""The actions of the keys that come in pairs."""


def bindings(*groups: Group) -> list[tuple[str, str, str]]:
    """(key, action, description) for every single key of the groups."""
    return [
        (name, MOVES.get(name) or key.bound, key.help)
        for key in KEYS
        if key.group in groups
        for name in key.keys.split(",")
    ]


@dataclass(frozen=True)
class Asked:
    """What the palette offers that has no key: a command that is completed in a field, or sent as it is."""

    name: str
    help: str
    start: str
    complete: bool = False


ASKED = (
    Asked("batch size", "change the batch size from the next step on", "batch "),
    Asked("epochs", "make the run longer or shorter", "epochs "),
    Asked("patience", "epochs without improvement before it stops by itself; off", "set patience "),
    Asked("named checkpoint", "write a checkpoint under a name, to rewind to", "checkpoint "),
    Asked("rewind to a checkpoint", "to one that was named, or step N", "rewind "),
    Asked("rewind to the last checkpoint", "the newest one on disk", "rewind last", complete=True),
    Asked("rewind to a step", "any step of this run", "rewind step "),
    Asked("train N steps", "then pause", "next "),
    Asked("any command", "what 'trainconsole ctl' takes", ""),
)
