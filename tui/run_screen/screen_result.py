"""How a run's screen was left."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Left:
    """Why a run's screen was left; `error` where its start failed, `paused` where it trains no further."""

    how: Literal["detached", "quit", "resume", "failed start"]
    error: str = ""
    paused: bool = False
