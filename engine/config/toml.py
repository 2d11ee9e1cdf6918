"""TOML as people write it: text to a dict, and one VALUE of the command line. No torch."""

import re
import tomllib
from typing import Any, Final

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import harmless

BOM = "\ufeff"
"""What editors on Windows begin a file with."""
PARTS = 200
TOO_LONG = re.compile(rf"""(?<![\w"'-])(?:[\w"'-]++\s*+\.\s*+){{{PARTS}}}""")
"""A dotted name that tomllib would take minutes for."""
PYTHON = {"True": "true", "False": "false", "None": "nothing at all: leave the key out"}
"""Words of Python, and what TOML has for them."""


class _Unset:
    """What `none` stands for on the command line."""


UNSET: Final = _Unset()


def parse(text: str, source: str) -> dict[str, Any]:
    """TOML text as a dict. Raises UserError that names `source`, line and column."""
    if TOO_LONG.search(text):
        raise UserError(f"{source}: not valid TOML: a name of more than {PARTS} parts")
    try:
        return tomllib.loads(text.removeprefix(BOM))
    except tomllib.TOMLDecodeError as error:
        hint = _hint(text, str(error))
        raise UserError(harmless(f"{source}: not valid TOML: {error}{hint}")) from None
    except RecursionError:
        raise UserError(f"{source}: nested too deep to be read") from None


def value_of(text: str) -> Any:
    """A VALUE of the command line: TOML where it is that, True and False as in Python, else the text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return {"True": True, "False": False}.get(text, text)


def assigned(text: str) -> Any:
    """The same after KEY=, where a bare `none` is UNSET."""
    return UNSET if text in ("none", "None") else value_of(text)


def _hint(text: str, error: str) -> str:
    """What to write in place of a word of Python in the line that is wrong."""
    found = re.search(r"at line (\d+)", error)
    line = text.split("\n")[int(found[1]) - 1 :][:1] if found else []
    word = re.search(r"[=\[,]\s*(True|False|None)\b", line[0]) if line else None
    return f"; TOML has {PYTHON[word[1]]} for {word[1]}" if word else ""
