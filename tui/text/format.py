"""Numbers and strings as a terminal shows them: short, and harmless."""

import math
import os
import shlex
from collections.abc import Mapping
from typing import Any

from trainconsole.engine.common.escapes import harmless, message

__all__ = ["effect", "harmless", "message", "number", "quoted", "rate", "real", "seconds"]


def quoted(word: str) -> str:
    """`word` as a shell takes it, harmless to look at; what is not needs one that knows $'...'."""
    if harmless(word) == word:
        return shlex.quote(word)
    return "$'" + "".join(_quoted(char) for char in word) + "'"


def _quoted(char: str) -> str:
    if char in "'\\":
        return f"\\{char}"
    return char if harmless(char) == char else "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))


def number(value: Any) -> str:
    """Four significant digits for a float, thousands separated for a whole number."""
    if value is None:
        return "off"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return harmless(str(value))


def rate(value: Any) -> str:
    """A learning rate: 1e-3, 5e-4, 2.5e-4; of a record that has something else there, that."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return number(value)
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def seconds(value: float | None) -> str:
    """mm:ss, or h:mm:ss."""
    if value is None or value != value or value > 359_999:
        return "--:--"
    whole = round(value)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes:02}:{whole % 60:02}"


def real(value: float | None) -> float:
    return math.nan if value is None else value


def effect(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What changed: lr 0.001 -> 0.01, optimizer adam -> sgd."""
    changed = [name for name in after if name not in before or before[name] != after[name]]
    return ", ".join(_change(name, before, after) for name in changed)


def _change(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if name not in before:
        return f"{name} {number(after[name])}"
    return f"{name} {number(before[name])} -> {number(after[name])}"
