"""What a finished run says on stdout: curves, test metrics, confusion, where the files are."""

from collections.abc import Iterator, Sequence

from trainconsole.engine.launch import Launch
from trainconsole.engine.messages import EpochEnded, Finished
from trainconsole.engine.record import read_events, read_meta, read_rows
from trainconsole.tui.charts import curves
from trainconsole.tui.plain import harmless, metrics, real

MOST_CLASSES = 20
"""A larger confusion matrix is not printed: nobody reads it."""


def result(launch: Launch, finished: Finished, *, width: int, color: bool) -> str:
    """The whole text, lines at most `width` wide where the content allows it."""
    parts = [*_chart(launch, min(width, 120), color), "", *_summary(finished), *_confusion(finished)]
    parts.append(f"run       {launch.path}")
    return "\n".join(parts) + "\n"


def _chart(launch: Launch, width: int, color: bool) -> list[str]:
    meta, events = read_meta(launch.path), read_events(launch.path)[0]
    name = meta["batch_metric"]
    epochs = [
        (event.step, real(event.val["loss"]), real(event.val[name]))
        for event in events
        if type(event) is EpochEnded and event.val is not None
    ]
    rows = read_rows(launch.path)
    return curves(rows, epochs, name, width=width, color=color) if len(rows) else []


def _summary(finished: Finished) -> Iterator[str]:
    note = f"  ({harmless(finished.note)})" if finished.note else ""
    reason = finished.reason.replace("_", " ")
    yield f"{reason} at step {finished.step:,}"
    if finished.best is not None:
        best = finished.best
        yield f"best      {best.metric} {best.value:.4f} at epoch {best.epoch}"
    if finished.test is not None:
        yield f"test      {metrics(finished.test)}{note}"
    yield f"weights   sha256 {finished.weights_sha256}"


def _confusion(finished: Finished) -> Iterator[str]:
    """Rows are true classes, columns predicted ones, with the recall of each class."""
    matrix, names = finished.confusion, [harmless(name) for name in finished.classes]
    if matrix is None or not names:
        return
    if len(names) > MOST_CLASSES:
        yield from _worst(matrix, names)
        return
    label = max(len(name) for name in names)
    cell = max(4, max(len(str(count)) for row in matrix for count in row) + 1, min(label, 8) + 1)
    yield "confusion (rows: true, columns: predicted)"
    yield " " * (label + 2) + "".join(f"{name[: cell - 1]:>{cell}}" for name in names) + "  recall"
    for index, (name, row) in enumerate(zip(names, matrix, strict=True)):
        yield f"  {name:<{label}}" + "".join(f"{count or '.':>{cell}}" for count in row) + _recall(row, index)


def _recall(row: Sequence[int], index: int) -> str:
    return f"  {row[index] / sum(row):6.3f}" if sum(row) else "       -"


def _worst(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> Iterator[str]:
    pairs = [
        (count, names[i], names[j])
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if i != j and count
    ]
    yield "most confused"
    for count, true, predicted in sorted(pairs, reverse=True)[:5]:
        yield f"  {count} of {true} taken for {predicted}"
