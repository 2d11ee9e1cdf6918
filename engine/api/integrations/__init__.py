"""Adapters for loops of other libraries: `HuggingFace` and `Lightning`, callbacks for their Trainers.

Nothing is imported until one is asked for; then its library has to be there.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    HuggingFace: Any
    Lightning: Any

__all__ = ["HuggingFace", "Lightning"]


def __getattr__(name: str) -> Any:
    if name == "HuggingFace":
        from trainconsole.integrations.hugging_face import callback

        return callback()
    if name == "Lightning":
        from trainconsole.integrations.lightning import callback

        return callback()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
