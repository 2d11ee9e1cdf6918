"""Scripts with a loop of their own: how one was started, whether it has changed, and starting it again.

No torch.
"""

import hashlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import encodable
from trainconsole.engine.config.run import RunConfig, Script

VARIABLE = "TRAINCONSOLE_RUN"
"""In the environment of a script that was started for a run: a Start."""
STARTUP = Path(__file__).parents[1] / "unchanged" / "startup"
"""First on the PYTHONPATH of such a process: its sitecustomize watches a script that does not attach."""
TWO_LINES = (
    "two lines in the script change that: run = trainconsole.attach(model=model, optimizer=optimizer),"
    " and run.batches(loader) in place of loader"
)
WAYS_BACK = (
    "this script is watched from outside: where it stands in its loop and its data is not known, so it cannot"
    f" be brought back there; {TWO_LINES}"
)
"""Why there is no undo, rewind, resume or replay of what never attached."""
ONE_OF_SEVERAL = (
    "several processes train one model, and what is done to one of them would part it from the others:"
    " the callbacks for Trainers do it in all"
)
"""Why one process of a script that was started by torchrun and the like is not steered."""
SECONDS = 10.0
"""That git may take to say what it knows."""


class Start(Struct, frozen=True, kw_only=True):
    """What a script is started for. `resume` goes on with the run at `path`; `requests` are commands for its
    first boundary. `begins_with` is the run whose state at step 0 this one begins with, "" its own."""

    path: str
    resume: bool = False
    requests: tuple[str, ...] = ()
    begins_with: str = ""
    verify: int = 0


PYTHONS = re.compile(r"python[\d.]*")
SCRIPTS = (".py", ".sh")


def file_of(command: Sequence[str], cwd: Path) -> Path | None:
    """The script in `command`: what is no option of Python's, or the command itself."""
    words = iter(command)
    program = next(words, "")
    if PYTHONS.fullmatch(Path(program).name):
        program = next((word for word in words if not word.startswith("-")), "")
    file = cwd / program
    return file.resolve() if program and file.is_file() else None


def described(command: Sequence[str], cwd: Path, file: Path | None) -> Script:
    """The script that `command` starts."""
    return Script(
        command=tuple(encodable(list(command))),
        cwd=str(cwd),
        file=str(file) if file is not None else "",
        sha256=_sha256(file) if file is not None else "",
        tree=_tree(cwd),
    )


def changed(script: Script) -> str:
    """What is not as it was when `script` was recorded, in words; "" where nothing is known to be."""
    if script.file and not Path(script.file).is_file():
        return f"{script.file} is gone"
    if script.sha256 and _sha256(Path(script.file)) != script.sha256:
        return f"{script.file} has changed"
    if script.tree and _tree(Path(script.cwd)) not in ("", script.tree):
        return f"files that git knows in {script.cwd} have changed"
    return ""


def check_again(config: RunConfig) -> None:
    """Raises UserError where starting the script of a run again does not lead to that run."""
    if config.script is not None and config.script.call > 1:
        raise UserError(
            f"this run is of attach call {config.script.call} of its script, which would begin with the"
            " first: it cannot be resumed or replayed"
        )


def label(script: Script) -> str:
    """What its runs are called: the name of the file, or of the module."""
    if script.file and Path(script.file).suffix == ".py":
        stem = Path(script.file).stem
        return Path(script.file).parent.name if stem == "__main__" else stem
    words = list(script.command)
    if "-m" in words[:-1] and PYTHONS.fullmatch(Path(words[0]).name):
        return words[words.index("-m") + 1].rpartition(".")[2]
    named = next((word for word in words if Path(word).suffix in SCRIPTS), None)
    return Path(named).stem if named else Path(words[0]).name if words else "script"


def environment(start: Start, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """That of a process which is started for `start`."""
    before = os.environ if known is None else known
    path = os.pathsep.join(filter(None, [str(STARTUP), before.get("PYTHONPATH", "")]))
    return {**before, VARIABLE: msgspec.json.encode(start).decode(), "PYTHONPATH": path}


def given() -> Start | None:
    """What this process was started for; asked once, and none of its children is asked. Raises UserError."""
    found = offered()
    if os.environ.pop(VARIABLE, ""):
        _forget_startup()
    return found


def offered() -> Start | None:
    """The same, without taking it. Raises UserError."""
    text = os.environ.get(VARIABLE, "")
    try:
        return msgspec.json.decode(text, type=Start) if text else None
    except ValueError as error:
        raise UserError(f"{VARIABLE} in the environment: {error}") from None


def _forget_startup() -> None:
    """PYTHONPATH as it was before `environment`."""
    first, _, rest = os.environ.get("PYTHONPATH", "").partition(os.pathsep)
    if first == str(STARTUP):
        os.environ["PYTHONPATH"] = rest
        if not rest:
            del os.environ["PYTHONPATH"]


def spelled(script: Script) -> str:
    """Its command line, as a shell takes it."""
    return shlex.join(script.command)


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _tree(cwd: Path) -> str:
    """Of what git tracks below `cwd`, as it is on the disk now; "" where there is no git."""
    staged, unstaged = _git(cwd, "ls-files", "-s", "."), _git(cwd, "diff", "--no-ext-diff", ".")
    if not staged:
        return ""
    return hashlib.sha256(staged + unstaged).hexdigest()


def _git(cwd: Path, *words: str) -> bytes:
    command = ["git", "-C", str(cwd), "--no-optional-locks", *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""


def running() -> tuple[tuple[str, ...], Path | None]:
    """The command line of this process, and the file of its main module; none of a notebook."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if file is None:
        return (), None
    return (sys.executable, *sys.orig_argv[1:]), Path(file).resolve()
