"""Why a session ends. No torch."""

from dataclasses import dataclass
from typing import Literal

from trainconsole.engine.protocol.events import Entry, Trouble

Keep = Literal["best", "last"]


@dataclass(frozen=True)
class Ending:
    """`keep` says which weights the run ends with, `stop` is the command that asked."""

    reason: Literal["completed", "stopped", "early_stopping", "interrupted", "nonfinite"]
    keep: Keep = "last"
    signal: str = ""
    trouble: Trouble | None = None
    stop: tuple[Entry, ...] = ()
