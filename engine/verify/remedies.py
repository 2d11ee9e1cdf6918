"""Causes and remedies, a sentence each. No torch."""

from collections.abc import Iterable, Sequence

from trainconsole.engine.verify.record import Part

Told = tuple[str, str]
"""(cause, remedy)"""

SETTLES_TOO = "; the second and the third time are alike, as where something is tuned, warmed up or cached"
SETTLES: Told = (
    "with the same batches and states the first time is another than the second and the third, which are"
    " alike: it depends on how often something was called (autotuning, a warm-up, a cache)",
    "switch that off, as with torch.backends.cudnn.benchmark = False, or let it settle before training",
)
LOGGED: Told = (
    "training is the same, only what is logged is not: it comes from a clock, or from a generator of its own",
    "nothing is wrong with the weights; draw what is measured from a registered or a global generator",
)
CLOCK_RATE: Told = (
    "batches and losses are the same before it: the schedule goes by the clock, or by something that no"
    " variable of the script holds",
    "make the rate depend on the number of updates or epochs",
)
CLOCK_STATE: Told = (
    "batches, losses and rates are the same before it: what changes it goes by the clock, or is not"
    " repeatable",
    "make it depend on the number of updates, and on nothing but what is registered",
)
DRAWS: Told = (
    "losses are the same before it: something draws from this generator a different number of times (a"
    " thread, or what is done once and kept)",
    "give what draws a generator of its own that is registered, or have it draw at each update alike",
)
NOT_REPEATABLE: Told = (
    "with the same batches, and all that the script keeps put back, it is another each time: an operation"
    " that is not deterministic, a thread, or a draw from the system's entropy",
    "torch.use_deterministic_algorithms(True) names such operations (CUDA: CUBLAS_WORKSPACE_CONFIG=:4096:8);"
    " draw random numbers from torch, NumPy or Python's global generators",
)
OWN_ORDER = (
    "use a map-style Dataset, whose order trainconsole sets, or let the stream depend on nothing but its"
    " beginning (seeded anew in __iter__)"
)
OTHER_BATCHES: Told = (
    "their order is set, so what the dataset or its transforms return for a row changes: a generator of their"
    " own (np.random.default_rng() without a seed), the clock, or data that are written meanwhile",
    "draw from torch's, NumPy's or Python's global generator, or seed one from the row in __getitem__",
)
HASHING: Told = (
    "with the same PYTHONHASHSEED it is exact: the order of a set (or what was made from one) is another in"
    " each process, and training depends on it",
    "sort what comes out of sets of text, or start with PYTHONHASHSEED=0",
)
DRAWN_AT_START: Told = (
    "it is another in each process: something that is not registered is drawn anew at the start without a"
    " seed, goes by the clock, or is not repeatable",
    "register what is drawn, or set the seeds before it is made",
)


AHEAD: Told = (
    "a batch is fetched ahead: an update is made on the way back, with one that was given before",
    "train on each batch before the next is asked for: for batch in run.batches(loader)",
)


def held(count: int) -> Told:
    more = "one batch more was" if count == 1 else f"{count} batches more were"
    return (
        f"{more} given before the first update than before the others: what is fetched ahead is trained on"
        " after the way back",
        AHEAD[1],
    )


def ahead(name: str) -> Told:
    return (
        f"a batch is fetched ahead: `{name}` was given before the place that is gone back to, and is"
        " trained on after it",
        AHEAD[1],
    )


def register(parts: Sequence[Part]) -> str:
    """What to do with what was found not to be registered."""
    able = [part for part in parts if part.kind in ("module", "optimizer", "state")]
    if able:
        names = ", ".join(f"{_plain(part)}={_shown(part)}" for part in able)
        return f"register it: attach(..., {names})"
    if any(part.kind == "generator" for part in parts):
        return (
            "draw from torch's, NumPy's or Python's global generator, or register an object with state_dict()"
            " and load_state_dict() that keeps this one's state"
        )
    return (
        "keep it as a buffer of the model (register_buffer), or in an object with state_dict() and"
        " load_state_dict() that is registered: attach(..., name=it)"
    )


def _plain(part: Part) -> str:
    word = "".join(char if char.isidentifier() or char.isdigit() else "_" for char in part.name)
    return word.strip("_") if word.strip("_").isidentifier() else part.type.lower()


def _shown(part: Part) -> str:
    return "it" if part.name.startswith("<") else part.name


def not_brought_back(names: str) -> Told:
    return (
        f"load_state_dict() does not bring back all that state_dict() of {names} returns, or it changes by"
        " itself (the clock)",
        "let load_state_dict() set everything that state_dict() holds, and nothing go by the clock",
    )


def own_generator(kind: str, name: str, workers: int) -> Told:
    there = f" in {workers} workers, which have a copy each" if workers else ""
    return (
        f"{kind} draws from a generator of its own, `{name}`{there}: it goes on where the run goes back",
        "draw from torch's, NumPy's or Python's global generator, which are set for each batch, or seed one"
        " from the row in __getitem__",
    )


def data(changed: Sequence[str], *, same: bool) -> Told:
    """Batches that differ in a new process; `same` says that two new ones agree."""
    if same and changed:
        return (
            f"two new processes agree with each other: the data changed since the first one{_files(changed)}",
            "train on a copy that nobody writes to",
        )
    if same:
        return (
            "two new processes agree with each other, and not with the first: the data changed, or they are"
            " drawn at the start with a generator that the resume has brought back by then",
            "make them before the first of run.epochs, run.batches and run.boundary, with a seed of their"
            " own; train on a copy that nobody writes to",
        )
    return (
        "they are others in each process: they are drawn or split at the start without a seed, go by the"
        f" clock, or change on the disk{_files(changed)}",
        "set the seeds before the data are made or split (torch.manual_seed), or keep what was drawn",
    )


def begins_otherwise(changed: Sequence[str]) -> Told:
    return (
        "two new processes agree with each other and not with the first: something that the updates before"
        f" have left is not registered, or a file changed{_files(changed)}",
        "register what training depends on",
    )


def left_out(names: str) -> str:
    return (
        f"two new processes agree with each other and not with the first: {names}, which training changes, is"
        " not registered"
    )


def aside(names: Iterable[str]) -> str:
    """Of what moves and is not registered, where all was exact."""
    text = ", ".join(names)
    return f"not registered, and over these updates it made no difference: {text}" if text else ""


def _files(changed: Sequence[str]) -> str:
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f" ({', '.join(changed[:3])}{more} did)" if changed else ""
