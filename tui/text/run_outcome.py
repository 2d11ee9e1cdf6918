"""How a run ended, in words: read from the run directory, said without a terminal."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.events import AnyEvent, CheckpointSaved, Failed, Finished, Interrupted
from trainconsole.engine.record import run_directory
from trainconsole.tui.text.event_lines import SHORT as SHORTER
from trainconsole.tui.text.event_lines import six
from trainconsole.tui.text.format import harmless, number, quoted

End = Finished | Interrupted | Failed
Facts = tuple[tuple[str, str], ...]

TAIL = 10
"""Lines of host.log that are shown."""
LOOKED_AT = 16 * 1024
"""Bytes of its end that are read for them."""
SHORT = 12
"""Characters of a sha256 that tell two runs apart."""

TITLES = {Finished: "finished", Interrupted: "interrupted", Failed: "failed", type(None): "the host is gone"}
KEPT = {"best": "those of the best epoch", "last": "those of the last step"}
REASONS = {
    "completed": "Completed: every epoch is done",
    "stopped": "Stopped early, as you asked",
    "early_stopping": "Early stopping: validation no longer got better",
}


@dataclass(frozen=True)
class Outcome:
    """`event` is the last one, None where nothing says how the run ended; `log` the end of host.log.

    `kept` says which weights a finished run ends with, "best" or "last"; `saved` is the checkpoint to go on
    with, relative to `run`, "" where there is none; `is_script` says that its loop was a script's own.
    """

    run: Path
    event: End | None
    log: tuple[str, ...] = ()
    kept: str = ""
    saved: str = ""
    is_script: bool = False


def read(run: Path) -> Outcome:
    """How `run`, an absolute path, ended. Raises UserError where its events are damaged."""
    return told(run, run_directory.read_events(run)[0])


def told(run: Path, events: Sequence[AnyEvent]) -> Outcome:
    """How `run` ended, by its events."""
    last = events[-1] if events else None
    ended = last if isinstance(last, End) else None
    finished = isinstance(ended, Finished)
    kept = _kept(events) if finished else ""
    return Outcome(
        run=run,
        event=ended,
        log=() if finished or isinstance(ended, Interrupted) else tail(run / "host.log"),
        kept=kept,
        saved=_saved(run, ("best", "last") if finished and kept != "last" else ("last",)),
        is_script=_is_script(run),
    )


def _is_script(run: Path) -> bool:
    try:
        return run_directory.read_config(run).script is not None
    except UserError:
        return False


def tail(log: Path, most: int = TAIL) -> tuple[str, ...]:
    """The last `most` lines that say something, none where `log` cannot be read."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOOKED_AT))
            text = file.read().decode(errors="replace")
    except OSError:
        return ()
    lines = [harmless(line.expandtabs(4)) for line in text.splitlines() if line.strip()]
    return tuple(lines[-most:])


def title(outcome: Outcome) -> str:
    """One or a few words."""
    return TITLES[type(outcome.event)]


def headline(outcome: Outcome) -> str:
    """One sentence or two."""
    match outcome.event:
        case Finished() as end:
            return f"{REASONS[end.reason]}, at step {number(end.step)}."
        case Interrupted() as end:
            return f"Interrupted by {harmless(end.signal)} at step {number(end.step)}. Nothing is lost."
        case Failed() as end:
            return f"Failed at step {number(end.step)}."
        case _:
            return "The host ended without a word: killed, or the machine went down."


def facts(outcome: Outcome) -> Facts:
    """(name, value) pairs."""
    return tuple((name, harmless(value)) for name, value in _facts(outcome) if value)


def onwards(outcome: Outcome) -> Facts:
    """(command line, what it is for) pairs: what goes on from here."""
    lines = commands(outcome.run)
    if isinstance(outcome.event, Finished):
        test = () if outcome.is_script else ((lines["evaluate"], "test the saved weights"),)
        return ((lines["replay"], "the same again"), *test, (lines["export"], "the curves as a table"))
    return ((lines["resume"], "go on with it"),)


def commands(run: Path) -> dict[str, str]:
    """Command lines about `run`, as a shell here takes them."""
    name = named(run)
    return {
        "replay": f"trainconsole replay {name} --no-ui",
        "evaluate": f"trainconsole evaluate {name}",
        "export": f"trainconsole export {name} --csv curves.csv",
        "resume": f"trainconsole resume {name}",
    }


def named(run: Path) -> str:
    """RUN for a command line that is given here: the name alone for one in the default directory."""
    here = Path.cwd()
    return quoted(run.name if run.parent == here / "runs" else str(brief(run)))


def brief(path: Path) -> Path:
    """From the current directory where it is below that."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _facts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    end, run = outcome.event, outcome.run
    match end:
        case Finished():
            for index, (measured, whose) in enumerate(tests(end)):
                figures = "  ".join(f"{SHORTER.get(n, n)} {six(v)}" for n, v in measured.items())
                yield "" if index else "test", f"{figures}{whose}"
            yield "note" if outcome.is_script else "data", end.note
            best = end.best
            yield "best", f"{best.metric} {six(best.value)} at epoch {best.epoch}" if best else ""
            kept = f"  ({KEPT[outcome.kept]})" if outcome.kept else ""
            yield "weights", f"sha256 {end.weights_sha256[:SHORT]}{kept}"
        case Failed():
            yield from _spread("reason", end.reason)
            yield "more in", str(brief(run / end.where)) if end.where else ""
        case None:
            yield "log", str(brief(run / "host.log"))
    yield "run", str(brief(run))
    saved = end.checkpoint if isinstance(end, Interrupted) else outcome.saved
    yield "saved", saved


def tests(end: Finished) -> Iterator[tuple[Mapping[str, float | None], str]]:
    """What was measured on the test part, and of whose weights, in words: those kept, then the best."""
    best = end.best
    if end.test is not None:
        same = end.weights == "last" and best is not None and best.step == end.step
        whose = f"  of the {end.weights} weights{', which are the best' if same else ''}"
        yield end.test, whose if end.weights else ""
    if end.test_best is not None:
        yield end.test_best, f"  of the best weights{f', epoch {best.epoch}' if best else ''}"


def _spread(name: str, text: str) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(text.splitlines()):
        yield "" if index else name, line


def _kept(events: Sequence[AnyEvent]) -> str:
    """Of an older record by their sums: the best, where a checkpoint of that epoch says the same, else the
    last."""
    end = events[-1]
    assert isinstance(end, Finished)
    if end.weights:
        return end.weights
    best = end.best
    sums = {
        event.weights_sha256
        for event in events
        if isinstance(event, CheckpointSaved) and best is not None and event.step == best.step
    }
    return "best" if end.weights_sha256 in sums else "last"


def _saved(run: Path, names: Sequence[str]) -> str:
    found = (f"checkpoints/{name}.pt" for name in names)
    return next((name for name in found if (run / name).exists()), "")
