"""meta.json: what a run is, for whoever finds it later. Read with defaults, replaced whole. No torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta as Bound
from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import as_json
from trainconsole.engine.common.files import MIB, read_bytes, replace_file
from trainconsole.engine.record.journal import said

NAME = "meta.json"
FORMAT = 1
LARGEST = 32 * MIB

DeviceName = Literal["auto", "cpu", "cuda", "mps"]


class Session(Struct, frozen=True, kw_only=True):
    """One session of a run; `asked_device` is what --device said, `threads` 0 where it is not known."""

    device: str = ""
    asked_device: DeviceName = "auto"
    threads: Annotated[int, Bound(ge=0, le=4096)] = 0
    torch: str = ""
    machine: str = ""


class DataFacts(Struct, frozen=True, kw_only=True):
    """What the data was when the run started."""

    fingerprint: str = ""
    fingerprints: dict[str, str] = {}
    sizes: dict[str, Annotated[int, Bound(ge=0, le=2**62)]] = {}

    @property
    def prints(self) -> dict[str, Any]:
        """By which two runs are known to have seen the same data."""
        return {"fingerprint": self.fingerprint, "fingerprints": self.fingerprints}


class RunMeta(Struct, frozen=True, kw_only=True):
    """What meta.json says, as far as it is read again. A file that is not there yet says nothing. `in_force`
    is what a script's own loop began with, by the names that an acknowledgement has."""

    preset: str = ""
    metric: str = ""
    maximised: bool = True
    batch_metric: str = "accuracy"
    data: DataFacts = DataFacts()
    in_force: dict[str, Any] = {}
    data_dir: Annotated[str, Bound(pattern=r"^[^\x00]*$")] = ""
    sessions: tuple[Session, ...] = ()

    @property
    def begun(self) -> bool:
        """Whether a session has trained."""
        return bool(self.sessions)

    @property
    def last(self) -> Session:
        """The newest session; one that says nothing where there was none."""
        return self.sessions[-1] if self.sessions else Session()


class _Format(Struct):
    format: int | None = None


class _Scalars(Struct):
    scalars: Any = None


def read_meta(run: Path) -> RunMeta:
    """What is known of `run`; nothing while there is no meta.json. Raises UserError where it cannot be read,
    and for another format version, before anything else of it is looked at."""
    return _decoded(run, RunMeta) if (run / NAME).exists() or (run / NAME).is_symlink() else RunMeta()


def write_meta(run: Path, meta: Mapping[str, Any]) -> None:
    """Raises OSError."""
    replace_file(run / NAME, msgspec.json.format(as_json(meta), indent=2) + b"\n")


def add_session(run: Path, session: Mapping[str, Any]) -> None:
    """One more entry of `sessions`; what else the file says, known here or not, stays. Raises UserError."""
    read_meta(run)
    known = _decoded(run, dict[str, Any])
    write_meta(run, {**known, "sessions": [*known.get("sessions", ()), session]})


def add_scalars(run: Path, dtype: Any, files: Mapping[str, str]) -> None:
    """The own numbers `files`, name by name, and what their records are; the rest stays. Raises UserError."""
    known = _decoded(run, dict[str, Any]) if (run / NAME).exists() else {"format": FORMAT}
    before = known.get("scalars")
    names = before.get("names") if isinstance(before, dict) else None
    names = {**(names if isinstance(names, dict) else {}), **files}
    write_meta(run, {**known, "scalars": {"dtype": dtype, "names": names}})


def told_scalars(run: Path) -> Any:
    """What meta.json has as the names of own numbers, whatever that is; None where it has none, or cannot
    be read."""
    try:
        found = _decoded(run, _Scalars).scalars
    except UserError:
        return None
    return found.get("names") if isinstance(found, dict) else None


def _decoded(run: Path, kind: Any) -> Any:
    file = run / NAME
    try:
        data = read_bytes(file, LARGEST)
        found = msgspec.json.decode(data, type=_Format).format
        if found == FORMAT:
            return msgspec.json.decode(data, type=kind)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: damaged: {said(error)}") from None
    raise UserError(
        f"{run}: written in format {found}, this version reads format {FORMAT};"
        " open it with the version of trainconsole that wrote it"
    )
