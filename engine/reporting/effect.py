"""What a command did, as it is acknowledged. No torch."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Effect:
    """The values that a command touches, read back before it and after it; `note` what else there is to
    know."""

    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    note: str = ""
