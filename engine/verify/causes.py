"""What a verification comes to: are undo and resume exact, and if not what moved, why, and what to do.

Only what was seen is said: where several causes are possible they stand in the order of their likelihood.
No torch.
"""

from msgspec import Struct

from trainconsole.engine.verify import remedies
from trainconsole.engine.verify.comparing import RANDOM, Difference, difference, only_logged
from trainconsole.engine.verify.record import Part, Pass, Source, Verification


class Judged(Struct, frozen=True, kw_only=True):
    """Of an undo, or a resume: `exact` None where it could not be tried. `moved` is what differs first, in a
    few words; `cause` and `remedy` are a sentence each."""

    exact: bool | None
    moved: str = ""
    cause: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        return {True: "exact", False: "not exact", None: "not measured"}[self.exact]


class Verdict(Struct, frozen=True, kw_only=True):
    undo: Judged
    resume: Judged
    note: str = ""
    aside: str = ""

    @property
    def exact(self) -> bool:
        return bool(self.undo.exact and self.resume.exact)

    @property
    def evidence(self) -> str:
        """One line, and what differs after it."""
        told = [f"undo: {self.undo}, resume: {self.resume}{f' ({self.note})' if self.note else ''}"]
        for name, one in (("undo", self.undo), ("resume", self.resume)):
            if not one.exact and one.moved:
                told.append(f"{name}: {one.moved}: {one.cause}" if one.cause else f"{name}: {one.moved}")
        return "\n".join([*told, *filter(None, [self.aside])])

    @property
    def remedies(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(filter(None, (self.undo.remedy, self.resume.remedy))))

    @property
    def told(self) -> str:
        """All of it, a line each."""
        return "\n".join([self.evidence, *(f"remedy: {text}" for text in self.remedies)])

    @property
    def short(self) -> str:
        """Of the undo, for a place beside other figures."""
        if self.exact:
            return "measured exact"
        if self.undo.exact:
            return f"exact, but resume is {self.resume}: {self.resume.moved}".removesuffix(": ")
        return f"{self.undo}: {self.undo.moved}".removesuffix(": ")


def verdict(seen: Verification) -> Verdict:
    count, undo = len(seen.first.moments), _undo(seen)
    note = f"{count} updates, all that the script makes; {seen.asked} were asked for" if seen.cut else ""
    resume = _resume(seen, undo)
    aside = remedies.aside(map(called, seen.unregistered)) if undo.exact and resume.exact else ""
    return Verdict(undo=undo, resume=resume, note=note, aside=aside)


def needs_another(seen: Verification) -> bool:
    """Whether one more process may tell why the new one differs from the first."""
    return seen.again is None and _undo(seen).exact is True and _parted(seen, seen.resumed) is not None


def _parted(seen: Verification, other: Pass | None) -> Difference | None:
    at = seen.first.moments[0].step - 1 if seen.first.moments else 0
    return difference(seen.first, other, at) if other is not None else None


# --- undo ---


def _undo(seen: Verification) -> Judged:
    if seen.undone is None:
        return Judged(exact=None, moved=seen.refused)
    found = _parted(seen, seen.undone)
    if found is None:
        return Judged(exact=True)
    cause, remedy = _cause_of_undo(seen, seen.undone, found)
    return Judged(exact=False, moved=moved(found), cause=cause, remedy=remedy)


def _cause_of_undo(seen: Verification, undone: Pass, found: Difference) -> tuple[str, str]:
    settles = seen.third is not None and _same(undone, seen.third)
    if seen.parts:
        cause, remedy = _of_parts(
            seen.parts, "what is logged" if only_logged(seen.first, undone) else "training"
        )
        why = [source.why for source in seen.sources if source.why and found.what == "batches"]
        counted = settles and all(part.kind == "number" for part in seen.parts)
        return "; ".join([*why[:1], cause]) + (remedies.SETTLES_TOO if counted else ""), remedy
    if found.what == "start":
        return _of_start(found)
    if seen.ahead:
        return remedies.held(seen.ahead)
    if found.what == "batches":
        return _of_batches(seen.sources) if _is_given_one(undone, found) else remedies.AHEAD
    if settles:
        return remedies.SETTLES
    if only_logged(seen.first, undone):
        return remedies.LOGGED
    if found.what == "rates":
        return remedies.CLOCK_RATE
    if found.what == "states" and not found.names[0].startswith(RANDOM):
        return remedies.CLOCK_STATE
    return remedies.DRAWS if found.what == "states" else remedies.NOT_REPEATABLE


def _is_given_one(undone: Pass, found: Difference) -> bool:
    """Whether a batch led to the update that differs."""
    return any(moment.batches for moment in undone.moments if moment.step == found.step)


def _same(one: Pass, other: Pass) -> bool:
    return difference(one, other, 0) is None


def _of_parts(parts: tuple[Part, ...], what: str) -> tuple[str, str]:
    """It was exact with them put back, and not without any of them; `what` depends on them."""
    if held := [part for part in parts if part.held]:
        return remedies.ahead(held[0].name)
    names = ", ".join(called(part) for part in parts)
    be, them = ("are", "them") if parts[1:] else ("is", "it")
    cause = f"{names} {be} not registered, and {what} depends on {them}: with {them} put back all is the same"
    return cause, remedies.register(parts)


def called(part: Part) -> str:
    """`ema` (AveragedModel)"""
    if part.name.startswith("<"):
        return f"a {part.type} that no variable leads to"
    return f"`{part.name}` ({part.type})"


def _of_start(found: Difference) -> tuple[str, str]:
    names = [name for name in found.names if not name.startswith(RANDOM)]
    return remedies.not_brought_back(", ".join(names)) if names else remedies.DRAWS


def _of_batches(sources: tuple[Source, ...]) -> tuple[str, str]:
    for source in sources:
        if source.why:
            return f"{source.why}, and reading {source.kind} again gives others", remedies.OWN_ORDER
    for source in sources:
        if source.generators:
            return remedies.own_generator(source.kind, source.generators[0], source.workers)
    return remedies.OTHER_BATCHES


# --- resume ---


def _resume(seen: Verification, undo: Judged) -> Judged:
    if seen.resumed is None:
        return Judged(exact=None, moved="" if undo.exact is None else "the new process did not get there")
    found = _parted(seen, seen.resumed)
    if found is None:
        return Judged(exact=True)
    cause, remedy = _cause_of_resume(seen, seen.resumed, found, undo)
    return Judged(exact=False, moved=moved(found), cause=cause, remedy=remedy)


def _cause_of_resume(seen: Verification, made: Pass, found: Difference, undo: Judged) -> tuple[str, str]:
    if not undo.exact:
        return "as after the undo", ""
    if found.what == "start":
        return _of_start(found)
    if seen.again is not None and _same(seen.first, seen.again):
        return remedies.HASHING
    if found.what == "batches" and seen.again is not None:
        return remedies.data(seen.changed, same=_same(made, seen.again))
    if only_logged(seen.first, made):
        return remedies.LOGGED
    if found.what == "rates":
        return remedies.CLOCK_RATE
    if seen.again is not None and _same(made, seen.again):
        if seen.unregistered:
            names = ", ".join(map(called, seen.unregistered))
            return remedies.left_out(names), remedies.register(seen.unregistered)
        return remedies.begins_otherwise(seen.changed)
    return remedies.DRAWN_AT_START


def moved(found: Difference) -> str:
    """What differs first, in a few words."""
    names = ", ".join(found.names[:3]) + (" and more" if found.names[3:] else "")
    match found.what:
        case "batches":
            return f"batches differ at step {found.step}"
        case "start":
            return f"{names} differ{'s' if len(found.names) == 1 else ''} before the first update"
        case "rates":
            return f"the rate of {names} differs at step {found.step}"
        case "length":
            return f"it ends before step {found.step}"
        case _:
            return f"{names} differ{'s' if len(found.names) == 1 else ''} at step {found.step}"
