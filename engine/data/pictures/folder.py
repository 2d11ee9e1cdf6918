"""A folder of pictures as a set: a first pass reads every picture in full and says what it met."""

import logging
import math
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import ImageFolder
from trainconsole.engine.data.pictures import decoding, first_pass, layout
from trainconsole.engine.data.pictures.decoding import FLOATS, GREY16, INTEGERS, Picture, Unreadable
from trainconsole.engine.data.pictures.first_pass import Seen
from trainconsole.engine.data.pictures.layout import Folder, Part
from trainconsole.engine.data.pictures.rows import PictureRows, as_tensor, default_workers, in_threads, unit
from trainconsole.engine.data.pictures.tree import NAMED, as_text, counted
from trainconsole.engine.data.raw import RawSet, Rows, TensorRows

IN_MEMORY = 2 * 2**30
"""Bytes of a set as float32 up to which it is held in memory."""

RANGES = {GREY16: (65535.0,), INTEGERS: (255.0, 65535.0), FLOATS: (1.0, 255.0)}
"""What numbers of a kind may go up to from 0: the smallest range that holds all of a set counts."""

LIMIT = sys.float_info.max
"""Stands for what is not finite: JSON has no such numbers."""

log = logging.getLogger("trainconsole")


def read_folder(config: ImageFolder) -> RawSet:
    """The set at config.path. Raises UserError for a folder that is none, for pictures that cannot be read
    (config.on_damaged "fail"), and for numbers of which it is not known what white is."""
    folder = layout.look(Path(config.path).expanduser(), decoding.endings())
    workers = default_workers() if config.workers is None else config.workers
    count = sum(len(part.paths) for part in folder.parts.values())
    held = count * 3 * config.size**2 * 4 <= IN_MEMORY
    seen, read = _pass(folder, config.size, workers, held)
    _complain(seen, count, config)
    divisors = {kind: _divisor(kind, seen) for kind in seen.kinds if kind != decoding.BYTES}
    rows: dict[str, Rows] = {}
    for name, part in folder.parts.items():
        sound = _sound(part, seen.damaged)
        _check_left(folder, name, sound)
        labels = torch.tensor(sound.labels)
        if held:
            rows[name] = TensorRows(_stacked(read[name], divisors), labels)
        else:
            rows[name] = PictureRows(sound.paths, labels, config.size, divisors, workers)
    return RawSet(
        rows["train"],
        rows.get("val"),
        rows.get("test"),
        folder.classes,
        said=(*folder.said, *_done(seen, divisors)),
        warning="; ".join([*folder.left, *_left(seen)]),
        divide_test=not folder.layout,
    )


def _pass(folder: Folder, size: int, workers: int, held: bool) -> tuple[Seen, dict[str, list[Picture]]]:
    """What all pictures are like, and where they are to be held the sound ones themselves, by part."""
    if held:
        seen = Seen()
        return seen, {name: _read(part, size, workers, seen) for name, part in folder.parts.items()}
    paths = [path for part in folder.parts.values() for path in part.paths]
    try:
        name = first_pass.key(paths, decoding.reader())
    except OSError as error:
        raise UserError(f"data.path: {as_text(error.filename)}: {error.strerror}") from None
    seen = first_pass.recall(name) or Seen()
    if not seen.kinds and not seen.damaged:
        for path, found in zip(paths, in_threads(paths, size, workers), strict=True):
            _note(seen, path, found)
        first_pass.keep(name, seen)
    return seen, {}


def _read(part: Part, size: int, workers: int, seen: Seen) -> list[Picture]:
    kept = []
    for path, found in zip(part.paths, in_threads(part.paths, size, workers), strict=True):
        _note(seen, path, found)
        if isinstance(found, Picture):
            kept.append(found)
    return kept


def _note(seen: Seen, path: str, found: Picture | Unreadable) -> None:
    if isinstance(found, Unreadable):
        seen.damaged[path] = str(found)
        return
    seen.kinds[found.kind] = seen.kinds.get(found.kind, 0) + 1
    seen.clear += found.clear
    if found.kind != decoding.BYTES:
        # A number that is none is lower than all others here: it must not hide behind one.
        low, high = ((x if math.isfinite(x) else -LIMIT) for x in (found.low, found.high))
        seen.lowest[found.kind] = min(seen.lowest.get(found.kind, (LIMIT, "")), (low, path))
        seen.highest[found.kind] = max(seen.highest.get(found.kind, (-LIMIT, "")), (high, path))


def _complain(seen: Seen, count: int, config: ImageFolder) -> None:
    """Damaged pictures are all written to host.log; raises UserError where they are not to be skipped."""
    for path, reason in seen.damaged.items():
        log.warning("damaged picture: %s: %s", as_text(path), reason)
    if not seen.damaged or config.on_damaged == "skip":
        return
    named = "; ".join(f"{as_text(path)}: {why}" for path, why in list(seen.damaged.items())[:NAMED])
    more = f"; and {len(seen.damaged) - NAMED:,} more" if len(seen.damaged) > NAMED else ""
    raise UserError(
        f"data.path: {len(seen.damaged):,} of {count:,} pictures cannot be read\n{named}{more}\n"
        "Mend or remove them, or leave them out with data.on_damaged = 'skip' (host.log then names all)."
    )


def _divisor(kind: str, seen: Seen) -> float:
    """The end of the smallest range that holds all numbers of a kind. Raises UserError where none does."""
    (low, lowest), (high, highest) = seen.lowest[kind], seen.highest[kind]
    found = next((end for end in RANGES[kind] if high <= end), None)
    if low >= 0 and found is not None:
        return found
    path, value = (lowest, low) if low < 0 else (highest, high)
    what = "numbers that are not finite" if abs(value) >= LIMIT else f"the value {value:g}"
    known = " or ".join(f"0 to {end:g}" for end in RANGES[kind])
    raise UserError(
        f"data.path: {as_text(path)} holds {kind} with {what}; {known} is known to be black to white\n"
        "Save them in that range, or read them in a Dataset of your own (data.name = 'module:function')."
    )


def _sound(part: Part, damaged: Mapping[str, str]) -> Part:
    pairs = [pair for pair in zip(part.paths, part.labels, strict=True) if pair[0] not in damaged]
    return Part(tuple(path for path, _ in pairs), tuple(label for _, label in pairs))


def _check_left(folder: Folder, name: str, sound: Part) -> None:
    wanted = range(len(folder.classes)) if name == "train" else ()
    gone = [folder.classes[label] for label in wanted if label not in set(sound.labels)]
    if gone or not sound.paths:
        raise UserError(
            f"data.path: {as_text(folder.root)}: every picture of {gone[0] if gone else name} is damaged;"
            " host.log names them"
        )


def _stacked(pictures: list[Picture], divisors: Mapping[str, float]) -> Tensor:
    """uint8 (N, 3, size, size) where all are bytes, else float32 in [0, 1]."""
    tensors = [as_tensor(picture, divisors) for picture in pictures]
    if any(tensor.is_floating_point() for tensor in tensors):
        tensors = [unit(tensor) for tensor in tensors]
    return torch.stack(tensors)


def _done(seen: Seen, divisors: Mapping[str, float]) -> list[str]:
    done = [
        f"{counted(seen.kinds[kind])} of {kind} divided by {end:,.0f} (the largest value is"
        f" {seen.highest[kind][0]:g})"
        for kind, end in divisors.items()
        if end != 1
    ]
    return [*done, f"{counted(seen.clear)} with transparency laid over white"] if seen.clear else done


def _left(seen: Seen) -> list[str]:
    damaged = len(seen.damaged)
    return [f"{counted(damaged, 'damaged ')} left out, named in host.log"] if damaged else []
