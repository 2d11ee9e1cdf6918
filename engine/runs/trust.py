"""Which code a run names, and whether this user has let it run: trust goes by content. No torch.

A run directory may have been unpacked from an archive, or have come in a pull: that its files are one's own
says nothing of who wrote them. What was started here is known by a digest of its config.toml, and each
command that was sent to it by one of the command too: a small file each in the user's state directory.
"""

import contextlib
import hashlib
import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Struct

from trainconsole.engine.common import user_dirs
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import MIB, read_bytes, replace_file
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.config.types import ImportPath
from trainconsole.engine.protocol.commands import SetOptimizer
from trainconsole.engine.protocol.events import AnyEvent
from trainconsole.engine.protocol.grammar import GrammarError, parse, tidy

MOST = 4096
"""Digests that are kept; the quarter that was not looked at for longest goes when there are more."""
LONGEST = 16 * MIB
"""Bytes of a config.toml."""


class Code(Struct, frozen=True, kw_only=True):
    """A user's own code that a run names: `target` ("my_pkg.nets:Net"), called with `args`. `where` is the
    section of the config, or the command; `command` is "" where it is the config that names it."""

    where: str
    target: str
    args: dict[str, Any] = {}
    command: str = ""


def folder() -> Path:
    """Where it is kept; heeds XDG_STATE_HOME."""
    return user_dirs.folder() / "trusted"


def in_config(config: RunConfig) -> tuple[Code, ...]:
    """What `config` names, its scripted commands included."""
    scripted = [code for entry in config.commands for code in in_command(entry.what)]
    if config.script is not None:
        scripted.append(Code(where="script.command", target=shlex.join(config.script.command)))
    return (*_in_part(config, ""), *(msgspec.structs.replace(code, command="") for code in scripted))


def in_command(text: str) -> tuple[Code, ...]:
    """What a command in the grammar names; () for one that is not in it."""
    if ":" not in text:
        return ()
    try:
        command = parse(text)
    except GrammarError:
        return ()
    if not isinstance(command, SetOptimizer):
        return ()
    found = _in_part(command.optimizer, text)
    return tuple(msgspec.structs.replace(code, command=text) for code in found)


def named(config: RunConfig, events: Iterable[AnyEvent]) -> tuple[Code, ...]:
    """What a run names: its config, and the commands of its record, those still to be applied included."""
    texts = dict.fromkeys(tidy(text) for event in events for text in _commands(event))
    scripted = {tidy(entry.what) for entry in config.commands}
    return (
        *in_config(config),
        *(code for text in texts if text not in scripted for code in in_command(text)),
    )


def unknown(run: Path, named: Iterable[Code]) -> list[Code]:
    """Those of `named` that this user has not let run with the config.toml of `run`. Raises UserError."""
    content = _content(run)
    return [code for code in named if not _is_known(_digest(content, code.command))]


def remember(run: Path, named: Iterable[Code]) -> None:
    """`named` may run with the config.toml of `run`, now and later. Where the state directory cannot be
    written it is forgotten: a later command asks again."""
    codes = list(named)
    if not codes:
        return
    with contextlib.suppress(OSError, UserError):
        content, where = _content(run), folder()
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        for command in dict.fromkeys(code.command for code in codes):
            note = f"{command or 'config.toml'} of {run}\n"
            replace_file(where / _digest(content, command), note.encode(errors="replace"), mode=0o600)
        _thin_out(where)


def _in_part(part: Struct, where: str) -> Iterator[Code]:
    """By the types of the fields, so that what a section may name tomorrow is found too."""
    for field in msgspec.structs.fields(type(part)):
        value = getattr(part, field.name)
        place = where if " " in where else f"{where}.{field.name}".lstrip(".")
        if isinstance(value, Struct):
            yield from _in_part(value, place)
        elif isinstance(value, str) and ImportPath in (field.type, *get_args(field.type)):
            args = getattr(part, "args", {}) if field.name == "target" else {}
            yield Code(where=place.removesuffix(".target"), target=value, args=args)


def _commands(event: AnyEvent) -> Iterator[str]:
    """Every text of an event that may be applied: `command`, and the entries of its lineages."""
    if event.__struct_config__.tag == "command_applied":
        yield str(getattr(event, "command", ""))
    for name in ("lineage", "pending"):
        yield from (str(entry[1]) for entry in getattr(event, name, None) or ())


def _content(run: Path) -> bytes:
    file = run / "config.toml"
    try:
        return read_bytes(file, LONGEST)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; is this a run directory?") from None


def _digest(content: bytes, command: str) -> str:
    text = content + (b"\0" + tidy(command).encode(errors="replace") if command else b"")
    return hashlib.sha256(text).hexdigest()


def _is_known(digest: str) -> bool:
    """Whether there is a file of that name which is this user's; it counts as looked at."""
    file = folder() / digest
    try:
        found = os.lstat(file)
    except OSError:
        return False
    with contextlib.suppress(OSError):
        os.utime(file, follow_symlinks=False)
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid()


def _thin_out(where: Path) -> None:
    files = sorted(os.scandir(where), key=lambda entry: entry.stat(follow_symlinks=False).st_mtime)
    if len(files) > MOST:
        for entry in files[: len(files) - MOST * 3 // 4]:
            os.unlink(entry)
