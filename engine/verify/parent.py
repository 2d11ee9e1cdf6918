"""The process that starts those which are compared: a script that is killed, and then goes on. No torch."""

import os
import secrets
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from msgspec.structs import replace

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import RunConfig, Script
from trainconsole.engine.host.script_process import in_background, last_line
from trainconsole.engine.runs import scripts, verdicts
from trainconsole.engine.runs.launch import Launch, abandon, prepare, started_for, unless_begun
from trainconsole.engine.verify import record
from trainconsole.engine.verify.causes import Verdict, needs_another, verdict
from trainconsole.engine.verify.record import Verification

HASHING = "PYTHONHASHSEED"
FILES = 5000
"""Of the script's directory, that are looked at for changes."""

Say = Callable[[str], None]


def verify(
    script: Script, *, runs: Path, steps: int, name: str, command_line: Sequence[str], say: Say
) -> tuple[Path, Verdict]:
    """Measure whether undo and resume of `script` are exact over `steps` updates; returns the run that it was
    measured in, and what came of it. `say` is told what is going on. Raises UserError where the script
    never came so far."""
    launch = prepare(
        RunConfig(script=script),
        scripts.label(script),
        runs=runs,
        data_dir=Path.cwd(),
        name=name or "verify",
        command_line=command_line,
    )
    with unless_begun(launch), _ended_with_us():
        seen = _measured(launch, script, steps, say)
    found = verdict(seen)
    verdicts.remember(script, found.short)
    return launch.path, found


def code(found: Verdict) -> int:
    """The exit code: 0 exact, 3 where something differs, 2 where neither could be measured."""
    if found.exact:
        return 0
    return 3 if False in (found.undo.exact, found.resume.exact) else 2


def _measured(launch: Launch, script: Script, steps: int, say: Say) -> Verification:
    run, start = launch.path, replace(started_for(launch), verify=steps)
    first, other = _hashing(), _hashing()
    before = _files(script, launch)
    say(f"{steps} updates, an undo, and the same updates again")
    _run(run, script, start, first)
    seen = record.read(run)
    if seen is None or not seen.first.moments:
        raise _nothing(launch, script, seen)
    say("a kill, and the same updates in a new process")
    after = _files(script, launch)
    changed = tuple(sorted(name for name in before if before[name] != after.get(name)))
    record.write(run, replace(seen, changed=changed))
    _run(run, script, replace(start, resume=True), other)
    seen = record.read(run) or seen
    if seen.resumed is not None and needs_another(seen):
        say("they differ: once more in another process, which hashes text as the first one did")
        _run(run, script, replace(start, resume=True), first)
    return record.read(run) or seen


def _run(run: Path, script: Script, start: scripts.Start, hashing: dict[str, str]) -> None:
    """One process, to its end, and all that it has started."""
    process = in_background(run, script, {**scripts.environment(start), **hashing})
    try:
        process.wait()
    finally:
        # It leads a session of its own; workers of a loader outlive a kill for a while.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _hashing() -> dict[str, str]:
    """A seed for the hashes of text, which Python draws where nothing else is asked for."""
    asked = os.environ.get(HASHING, "random")
    return {HASHING: str(1 + secrets.randbelow(2**32 - 1)) if asked in ("", "random") else asked}


def _nothing(launch: Launch, script: Script, seen: Verification | None) -> UserError:
    if seen is not None:
        return UserError(
            f"nothing to compare: {seen.refused}; {record.WARM} are made before, and at least one is compared"
        )
    last = last_line(launch.path)
    began = (launch.path / "events.jsonl").exists()
    abandon(launch)
    where = "did not come to the updates that are compared" if began else "has not called trainconsole.attach"
    return UserError(f"{scripts.spelled(script)} {where}" + (f"; its last line:\n{last}" if last else ""))


def _files(script: Script, launch: Launch) -> dict[str, tuple[int, int]]:
    """Size and time of those below the script's directory, but for hidden ones and those of runs."""
    found: dict[str, tuple[int, int]] = {}
    for folder, folders, names in os.walk(script.cwd):
        here = Path(folder)
        folders[:] = [one for one in folders if one[0] not in "._" and here / one != launch.path.parent]
        for name in names:
            with suppress(OSError):
                status = os.lstat(here / name)
                found[os.path.relpath(here / name, script.cwd)] = (status.st_size, status.st_mtime_ns)
        if len(found) > FILES:
            break
    return found


@contextmanager
def _ended_with_us() -> Iterator[None]:
    """Who ends this process ends the script."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
