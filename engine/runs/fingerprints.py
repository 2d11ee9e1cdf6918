"""Whether two runs saw the same data, and which part differs. No torch."""

from collections.abc import Mapping
from typing import Any

PARTS = {"train": "training", "val": "validation", "test": "test"}


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs in the `data` of two meta.json, as a subject: "the training and test data".

    "" where all is the same. A record without fingerprints of the parts says no more than "the data"."""
    if before.get("fingerprint") == now.get("fingerprint"):
        return ""
    old, new = before.get("fingerprints") or {}, now.get("fingerprints") or {}
    parts = [word for part, word in PARTS.items() if old.get(part) != new.get(part)]
    if not old or not new or not parts:
        return "the data"
    listed = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
    return f"the {listed} data"
