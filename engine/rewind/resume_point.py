"""Where a run that was cut off goes on: its newest sound checkpoint, and the commands given since."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from trainconsole.engine.checkpoints.schema import Kept
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.events import AnyEvent, Entry, Unread
from trainconsole.engine.rewind.restore_points import Found, on_chain, soundest
from trainconsole.engine.rewind.rewind import Travel
from trainconsole.engine.runs import branches
from trainconsole.engine.runs.branches import Fork
from trainconsole.engine.runs.lineages import Lineages
from trainconsole.engine.tensors import memory

MOST_TOLD = 3
LAST = 2**62


def last_sound(
    folder: Path, events: Sequence[AnyEvent], led: Lineages, damaged: list[str]
) -> tuple[Kept, Kept | None, Path] | None:
    """The newest whole checkpoint in `folder` that lies on the way to the end of the record: a state, the
    best that it knows, its file; None where there is none. What is wrong with others is added to `damaged`.

    Where the record does not tell all that led here, the checkpoint's own lineage is taken for it, and where
    it does not tell how the live branch began, one of any branch may serve.
    """
    forks = branches.forks(events)
    known = [*led.of(led.branch), *led.waiting] if led.whole else None
    found = soundest(on_chain(folder, forks, max(forks), LAST), known, damaged)
    if found is None and _is_cut_off(forks):
        found = soundest(_of_any_branch(folder, forks), None, damaged)
    return found


def to_come(led: Lineages, state: Kept) -> tuple[Entry, ...]:
    """The commands of the record that lead on from `state`."""
    lineage = (*led.of(led.branch), *led.waiting)
    if led.whole:
        return lineage[len(state["lineage"]) :]
    done, step = set(state["lineage_ids"]), state["position"]["step"]
    return tuple(entry for entry in lineage if entry[2] not in done and entry[0] >= step)


def go_on(travel: Travel, found: Found, pending: Iterable[Entry], path: Path | None) -> None:
    """From the checkpoint at `path`, on a new branch. Raises UserError where it is of another run."""
    state, best = found
    try:
        travel.resume(state, best, pending)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, UserError) or memory.ran_out(error):
            raise
        reason = (str(error).splitlines() or [""])[-1].strip()
        raise UserError(
            f"{path}: it does not go with what config.toml says: {reason}\n"
            "Has config.toml, the code of the model, or the data changed since?"
        ) from error


def unread(events: Sequence[AnyEvent]) -> list[str]:
    """What of the record could not be read, and what that means for going on."""
    lines = [event for event in events if isinstance(event, Unread)]
    told = [event.why for event in lines[:MOST_TOLD]]
    if len(lines) > MOST_TOLD:
        told.append(f"{len(lines) - MOST_TOLD} more lines of events.jsonl cannot be read")
    if any(event.leads for event in lines):
        told.append("a command may have stood there: where it is in no checkpoint, it is not given again")
    return told


def _is_cut_off(forks: dict[int, Fork]) -> bool:
    """Whether it is not known on what the live branch, or one that it goes back to, began."""
    return branches.chain(forks, max(forks))[0][0] != 0


def _of_any_branch(folder: Path, forks: dict[int, Fork]) -> list[Path]:
    numbers = sorted(forks)
    linked = {0: Fork(0, None, 0)} | {n: Fork(n, parent, LAST) for parent, n in pairwise(numbers)}
    files = on_chain(folder, linked, numbers[-1], LAST)
    return sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)
