"""Strings from outside as they may be shown or written: none can drive a terminal, or deceive. No torch.

A name, a path or the text of an error may hold what a terminal obeys (escape sequences), what turns text
around (bidi controls), what nobody sees (zero-width characters), or what no encoding has (lone surrogates, as
Python has them in file names that are not UTF-8).
"""

import unicodedata
from typing import Any

import msgspec

OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of what a terminal or a reader takes for an order, and of halves of characters."""
UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Marks and letters without a shape: two names that differ by one look alike."""
REPLACED = "\ufffd"


class _Shown(dict[int, str]):
    """By code point: what stands for it; worked out when it is first asked for."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        blank = char == "\t" or unicodedata.category(char) == "Zs"
        self[code] = " " if blank else REPLACED if _drives(char) or not char.isprintable() else char
        return self[code]


_shown = _Shown()


def harmless(text: str) -> str:
    """`text` on one line and of the same length: blanks for tabs and other blanks, U+FFFD for every control
    or format character, line end, lone surrogate and letter without a shape."""
    return text if text.isascii() and text.isprintable() else text.translate(_shown)


def message(text: str) -> str:
    """`text` with its own line ends, each line harmless."""
    return "\n".join(harmless(line.removesuffix("\r")) for line in text.split("\n"))


def as_toml(text: str) -> str:
    r"""TOML with \uXXXX for what is not harmless: within its strings, where alone such can stand."""
    return "".join(_toml_escape(char) if char != "\n" and _drives(char) else char for char in text)


def encodable(value: Any) -> Any:
    r"""Strings, also within lists and dicts, with \xXX for each byte of a file name that is not UTF-8."""
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, dict):
        return {encodable(key): encodable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [encodable(part) for part in value]
    return value


def as_json(value: Any) -> bytes:
    """`value` as JSON on one line, harmless to look at; what UTF-8 has not is written as text of its bytes.

    Raises what msgspec.json.encode does where a type has no JSON.
    """
    try:
        data = msgspec.json.encode(value)
    except UnicodeEncodeError:
        data = msgspec.json.encode(encodable(msgspec.to_builtins(value)))
    if data.isascii() and b"\x7f" not in data:
        return data
    return "".join(_json_escape(char) if _drives(char) else char for char in data.decode()).encode()


def _encodable(text: str) -> str:
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()


def _drives(char: str) -> bool:
    return unicodedata.category(char) in OBEYED or char in UNSEEN


def _toml_escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
