"""What a verification has seen, between the processes that see it: digests of each update, in one file of the
run directory. No torch."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import MIB, read_bytes, replace_file

FILE = "verify.json"
CHECKPOINT = "verify"
"""The name of the state that the updates begin with."""
LARGEST = 64 * MIB
WARM = 3
"""Updates before that state: an optimizer has its own by then."""
MOST = 1000
"""Updates that are compared."""

Digests = Mapping[str, str]


class Moment(Struct, frozen=True, kw_only=True):
    """What led to the update `step`, and what was there after it: digests, each by its name. `batches` are
    those given since the update before."""

    step: int
    batches: tuple[str, ...]
    logged: dict[str, str]
    rates: dict[str, str]
    states: dict[str, str]


class Pass(Struct, frozen=True, kw_only=True):
    """The same updates, once: the states that they began with, and each of them."""

    start: dict[str, str] = {}
    moments: tuple[Moment, ...] = ()


class Part(Struct, frozen=True, kw_only=True):
    """Something of the script that is not registered: the variable it is found by, its `kind` ("module",
    "generator", "number", ...), the name of its type. `held`: it is a batch that was given before."""

    name: str
    kind: str
    type: str
    held: bool = False


class Source(Struct, frozen=True, kw_only=True):
    """What a script iterates over: `why` its order is not owned ("" where it is), `workers` that make it, the
    names of the `generators` that it keeps to itself."""

    kind: str = ""
    why: str = ""
    workers: int = 0
    generators: tuple[str, ...] = ()


class Verification(Struct, frozen=True, kw_only=True):
    """`first` are the updates as they were made, `undone` those after an undo, `third` after going back once
    more, made where the two differ. `parts` were put back by hand, and then it was exact. `unregistered`
    are the modules, optimizers and schedulers that an undo did not bring back. `ahead` is by how many more
    batches were given before the first update than before the others. `refused` is why there was no way
    back. `cut` says that the script had no more updates than these.
    `resumed` are those of a new process, `again` of one more that hashes text as the first one did; before it
    the files `changed` had done so since the first process began.
    """

    asked: int
    first: Pass = Pass()
    undone: Pass | None = None
    third: Pass | None = None
    parts: tuple[Part, ...] = ()
    sources: tuple[Source, ...] = ()
    unregistered: tuple[Part, ...] = ()
    ahead: int = 0
    refused: str = ""
    cut: bool = False
    changed: tuple[str, ...] = ()
    resumed: Pass | None = None
    again: Pass | None = None


def read(run: Path) -> Verification | None:
    """None where there is none. Raises UserError where it cannot be read."""
    try:
        return msgspec.json.decode(read_bytes(run / FILE, LARGEST), type=Verification)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{run / FILE}: cannot be read: {error}") from None


def write(run: Path, seen: Verification) -> None:
    """Raises OSError."""
    replace_file(run / FILE, msgspec.json.encode(seen))
