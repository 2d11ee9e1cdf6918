"""What a finished run says on stdout: curves, test metrics, confusion, where the files are."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.cells import cell_len, set_cell_size

from trainconsole.engine.protocol.events import Finished
from trainconsole.engine.record.run_directory import read_events, read_meta, read_rows
from trainconsole.engine.runs import branches
from trainconsole.tui.text.charts import curves
from trainconsole.tui.text.event_lines import six
from trainconsole.tui.text.format import harmless, real
from trainconsole.tui.text.run_outcome import tests

MOST_CLASSES = 20
"""A larger confusion matrix is not printed: nobody reads it."""
LONGEST_NAME = 16
RECALL = 8

Matrix = Sequence[Sequence[int]]


def result(run: Path, finished: Finished, *, width: int, color: bool) -> str:
    """The whole text, lines at most `width` cells wide where the content allows it.

    NO_COLOR and a dumb terminal are heeded; an encoding that is not Unicode gets ASCII.
    """
    color = color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    parts = [
        *_chart(run, width, color),
        "",
        *map(harmless, summary(run, finished, width)),
    ]
    return "\n".join(parts) + "\n"


def confusion(matrix: Matrix | None, classes: Sequence[str], width: int) -> Iterator[str]:
    """Rows are true classes, columns predicted ones, with the recall of each class at the end.

    Column heads are the names cut short or, where that makes two the same, numbers. Above MOST_CLASSES, or
    where `width` is too small, the pairs most often confused. Nothing where there is no matrix.
    """
    names = [harmless(name) for name in classes]
    if not matrix or not names:
        return
    digits = max(len(str(count)) for row in matrix for count in row)
    space = (width - 2 - RECALL - _widest(names)) // len(names)
    heads, labels = _heads(names, min(space, max(digits, _widest(names)) + 1))
    cell = max(digits, _widest(heads)) + 1
    if len(names) > MOST_CLASSES or 2 + _widest(labels) + cell * len(names) + RECALL > width:
        yield from _worst(matrix, names)
        return
    yield "confusion (rows: true, columns: predicted)"
    yield " " * (_widest(labels) + 2) + "".join(_right(head, cell) for head in heads) + "  recall"
    for index, (name, row) in enumerate(zip(labels, matrix, strict=True)):
        counts = "".join(f"{count or '.':>{cell}}" for count in row)
        yield f"  {set_cell_size(name, _widest(labels))}{counts}{_recall(row, index)}"


def _chart(run: Path, width: int, color: bool) -> list[str]:
    """The curve in force: what was undone is left out."""
    meta, events = read_meta(run), read_events(run)[0]
    rows = branches.in_force(read_rows(run), events)
    name = meta.batch_metric
    epochs = [
        (event.step, real(event.val.get("loss")), real(event.val.get(name)))
        for event in branches.epochs_in_force(events)
        if event.val is not None
    ]
    unicode = sys.stdout.encoding.lower().startswith("utf")
    return (
        curves(rows, epochs, harmless(name), width=width, color=color, unicode=unicode) if len(rows) else []
    )


def summary(run: Path, finished: Finished, width: int) -> Iterator[str]:
    """How it ended, best and test metrics, confusion, and where the files are."""
    note = f"  ({finished.note})" if finished.note else ""
    yield f"{finished.reason.replace('_', ' ')} at step {finished.step:,}"
    if finished.best is not None:
        best = finished.best
        yield f"best      {best.metric} {six(best.value)} at epoch {best.epoch}"
    for index, (measured, whose) in enumerate(tests(finished)):
        figures = "  ".join(f"{name} {six(value)}" for name, value in measured.items())
        yield f"{'' if index else 'test':<10}{figures}{whose}{'' if index else note}"
    yield f"sha256    {finished.weights_sha256}"
    yield from confusion(finished.confusion, finished.classes, width)
    yield f"run       {_short(run)}"


def _short(path: Path) -> Path:
    """From the current directory where it is below that."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _heads(names: Sequence[str], cell: int) -> tuple[list[str], list[str]]:
    """Heads of columns less than `cell` wide, and labels of rows: numbered where cut names are not unique."""
    heads = [set_cell_size(name, min(cell_len(name), max(1, cell - 1))).strip() for name in names]
    if len(set(heads)) == len(heads):
        return heads, list(names)
    numbers = [str(index) for index in range(len(names))]
    return numbers, [
        f"{_right(number, len(numbers[-1]))} {name}" for number, name in zip(numbers, names, strict=True)
    ]


def _widest(texts: Sequence[str]) -> int:
    return min(LONGEST_NAME, max(cell_len(text) for text in texts))


def _right(text: str, width: int) -> str:
    return " " * (width - cell_len(text)) + text


def _recall(row: Sequence[int], index: int) -> str:
    return f"  {row[index] / sum(row):6.3f}" if sum(row) else "       -"


def _worst(matrix: Matrix, names: Sequence[str]) -> Iterator[str]:
    pairs = [
        (count, names[i], names[j])
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if i != j and count
    ]
    yield "most confused" if pairs else "no class was taken for another"
    for count, true, predicted in sorted(pairs, key=lambda pair: -pair[0])[:5]:
        yield f"  {count} of {true} taken for {predicted}"
