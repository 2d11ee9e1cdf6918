"""What the environment says of this process: is it left alone, do others train with it? No torch."""

import os

OFF = ("off", "0", "no")


def is_off() -> bool:
    """TRAINCONSOLE=off: a script trains as without trainconsole."""
    return os.environ.get("TRAINCONSOLE", "").lower() in OFF


def is_first() -> bool:
    """Whether this is the only process that trains, or the first of several, as torchrun numbers them."""
    return os.environ.get("RANK", "0") in ("", "0")


def has_others() -> bool:
    """Whether a launcher has started more processes than this one, to train one model together."""
    count = os.environ.get("WORLD_SIZE", "1")
    return count.isdecimal() and int(count) > 1
