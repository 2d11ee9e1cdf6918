"""What a run can be asked for, by what its data has: one table for configs and commands. No torch.

Not in the types of the config: runs of before, whatever they were asked for, must stay readable.
"""

from collections.abc import Iterator
from operator import attrgetter

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import RunConfig, batches

MOST: dict[str, float] = {
    "epochs": 10_000_000,
    "threads": 1024,
    "data.workers": 256,
    "regularisation.l1": 100,
    "regularisation.weight_decay": 100,
    "optimizer.eps": 100,
    "schedule.gamma": 100,
    "schedule.start_factor": 100,
    "schedule.end_factor": 100,
    "schedule.eta_min": 100,
    "schedule.min_lr": 100,
}
"""By key; beyond these a value is a slip of the finger that would ruin a run."""

STEPS = 2**53
"""Updates that a position, kept as a float, tells apart."""

GENEROUS = 2**16
"""A batch_size that a config may have above the rows that there are: a preset is used with less data."""


def check(config: RunConfig, rows: int | None = None) -> None:
    """Of a run that begins with `rows` rows in an epoch, None while they are not known. Raises UserError."""
    for problem in _problems(config, rows):
        raise UserError(problem)


def check_change(before: RunConfig, after: RunConfig, rows: int) -> None:
    """Of a command: what was out of bounds already is not its fault. Raises UserError."""
    if after.batch_size != before.batch_size and after.batch_size > rows:
        raise UserError(
            f"batch {after.batch_size}: the training part has {rows} rows; batch {rows} takes all"
        )
    known = set(_problems(before, rows))
    for problem in _problems(after, rows):
        if problem not in known:
            raise UserError(problem)


def full_batch(config: RunConfig, rows: int) -> str:
    """What to say of a batch_size above the rows that there are; "" where it is not."""
    if config.batch_size <= rows:
        return ""
    return f"batch_size {config.batch_size}: the training part has {rows} rows, and each batch is all of them"


def _problems(config: RunConfig, rows: int | None) -> Iterator[str]:
    for key, most in MOST.items():
        value = _value(config, key)
        if value is not None and value > most:
            yield f"{key}: {value} is above {most}, the most that a run takes; give it less"
    if rows is None:
        return
    if config.batch_size > max(rows, GENEROUS):
        yield f"batch_size: {config.batch_size} is far above the {rows} training rows there are; give it less"
    steps = config.epochs * batches(rows, config.batch_size, drop_last=config.drop_last)
    if steps > STEPS:
        yield f"epochs: {config.epochs} of this data are {steps} steps, above 2**53; give it less"


def _value(config: RunConfig, key: str) -> float | None:
    try:
        value: float | None = attrgetter(key)(config)
    except AttributeError:
        return None
    return value
