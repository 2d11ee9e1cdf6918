"""Inputs that are not finite, counted before training, and named as the user calls their rows."""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainconsole.engine.data.loading.batches import Source
from trainconsole.engine.data.raw import Rows, TensorRows

CHUNK = 8192
NAMED = 5
"""Rows, and columns, that a sentence names."""


def told(rows: Rows | None, part: str) -> str:
    """A sentence about tensors (N, ...) of which some values are NaN or infinite; "" where all are finite."""
    if not isinstance(rows, TensorRows) or not rows.inputs.is_floating_point():
        return ""
    counts, found, columns = 0, [], set()
    for start in range(0, len(rows), CHUNK):
        bad = rows.inputs[start : start + CHUNK].isfinite().logical_not().flatten(1)
        if bad.any():
            counts += int(bad.sum())
            found += (bad.any(1).nonzero().flatten() + start).tolist()
            columns |= {*bad.any(0).nonzero().flatten().tolist()}
    if not found:
        return ""
    own = found if rows.rows is None else rows.rows[found].tolist()
    where = f"row{_s(found)} {_named(own)}"
    if rows.inputs.ndim == 2:
        where += f", column{_s(columns)} {_named(sorted(columns))}"
    return f"{counts:,} of the {part} inputs {'is' if counts == 1 else 'are'} NaN or infinite: {where}"


def unmeasured(source: Source, rows: Tensor | None, part: str) -> str:
    """Why the loss of `source` is not a finite number: which of its rows are not, or that all of them are.

    `rows` int64 (N,) is what the user calls them, None where that is 0, 1, ..."""
    bad: dict[str, list[int]] = {"inputs": [], "targets": []}
    done = 0
    for batch in source.batches(torch.arange(source.size), 0, CHUNK // 8):
        for kind, values in zip(bad, batch, strict=True):
            bad[kind] += [done + row for row in not_finite(values)]
        done += len(batch[0])
    for kind, found in bad.items():
        if found:
            own = found if rows is None else rows[found].tolist()
            return f"the {kind} of {part} row{_s(found)} {_named(own)} are not finite"
    return f"the {part} data is finite, what the model or the loss makes of it is not"


def not_finite(values: Tensor) -> list[int]:
    """The rows of `values` (N, ...) that hold a number that is not finite."""
    if not values.is_floating_point():
        return []
    found: list[int] = values.isfinite().flatten(1).all(1).logical_not().nonzero().flatten().tolist()
    return found


def _s(found: Sequence[int] | set[int]) -> str:
    return "s" if len(found) > 1 else ""


def _named(found: Sequence[int]) -> str:
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return ", ".join(str(one) for one in found[:NAMED]) + more
