"""What is done to a user's rows on their way into a model, the same for tensors, datasets and streams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from trainconsole.engine.common.errors import UserError

CHANNELS = (1, 3, 4)
SMALLEST = 5
"""Pixels: a side is at least so long, channels are fewer."""

LONGEST = 4
"""The long side over the short one of what may be a grey picture: beyond, (C, L, 1) is as likely."""

GREY = 8
"""The same for a picture without channels, which one-hot letters in bytes are not to be taken for."""

SHOWN = 6

Layout = Literal["given", "last", "grey"]


@dataclass(frozen=True)
class Preparation:
    """`divide`: bytes become numbers in [0, 1]. `layout`: channels that come last go first, or grey pictures
    get one. `values`: what the targets are for class 0, 1, ..., () where they are these numbers. `classes`:
    how many there are, 0 for regression; `soft` where a target is a share of each; `note` is what was left as
    it is and may not be what was meant."""

    divide: bool = False
    layout: Layout = "given"
    values: tuple[int, ...] | tuple[str, ...] = ()
    classes: int = 0
    soft: bool = False
    note: str = ""

    @property
    def changes(self) -> bool:
        """Whether a row is not as it was given."""
        return self.divide or self.layout != "given" or bool(self.values)

    def turned(self, x: Tensor) -> Tensor:
        """`x` (N, ...) with its channels in place, of the same dtype."""
        if self.layout == "last":
            return x.movedim(-1, 1)
        return x.unsqueeze(1) if self.layout == "grey" else x

    def inputs(self, x: Tensor) -> Tensor:
        """A batch (N, ...) as float32, as a model takes it."""
        x = self.turned(x)
        return x.float().div_(255) if self.divide and x.dtype == torch.uint8 else x.float()

    def targets(self, given: Any) -> Any:
        """Targets of a batch; of classes int64 (N,), -1 for a value that is none of `values`."""
        if not self.values or self.soft:
            return given
        if not isinstance(given, Tensor):
            places = {value: place for place, value in enumerate(self.values)}
            return torch.tensor([places.get(one, -1) for one in given])
        values = torch.tensor(self.values)
        given = given.long().reshape(len(given))
        places_of = torch.searchsorted(values, given).clamp_(max=len(values) - 1)
        return torch.where(values[places_of] == given, places_of, -1)

    def said(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        """In words; `shape` is a row's as it was given."""
        texts = []
        if self.divide:
            texts.append("images of bytes divided by 255")
        turned = tuple(self.turned(torch.empty(0, *shape)).shape[1:])
        if self.layout == "last":
            texts.append(f"channels last turned: {shape} -> {turned}")
        if self.layout == "grey":
            texts.append(f"grey images given a channel: {shape} -> {turned}")
        if self.values:
            texts.append(f"labels {listed(self.values)} renamed to classes {listed(range(self.classes))}")
        return (*texts, self.note) if self.note else tuple(texts)


AS_GIVEN = Preparation()


def of_inputs(looks: Sequence[Tensor]) -> Preparation:
    """What rows like these, (N, ...) of each part, need. Layout and bytes are the same for all parts."""
    first = looks[0]
    layout = _layout(first)
    pictures = layout != "given" or first.ndim == 4
    holds_images = pictures and any(x.dtype == torch.uint8 and int(x.max()) > 1 for x in looks)
    if layout == "grey" and not holds_images:
        layout = "given"
    return Preparation(divide=holds_images, layout=layout, note=_undivided(looks) if pictures else "")


def _undivided(looks: Sequence[Tensor]) -> str:
    """That pictures of wider integers than bytes stay as they are: what is white in them is not known."""
    kind = looks[0].dtype
    if kind.is_floating_point or kind in (torch.uint8, torch.bool):
        return ""
    most = max(int(x.long().max()) for x in looks)
    if most <= 1:
        return ""
    return f"images of {str(kind).removeprefix('torch.')} up to {most} taken as they are, not divided"


def _layout(x: Tensor) -> Layout:
    shape = tuple(x.shape[1:])
    if len(shape) == 3 and shape[2] in CHANNELS and min(shape[:2]) >= SMALLEST:
        grey_sides = shape[2] > 1 or max(shape[:2]) <= LONGEST * min(shape[:2])
        return "last" if grey_sides else "given"
    if len(shape) == 2 and x.dtype == torch.uint8 and min(shape) >= GREY:
        return "grey"
    return "given"


def class_values(
    values: Sequence[int] | Sequence[str], names: tuple[str, ...] | None, what: str
) -> tuple[tuple[int, ...] | tuple[str, ...], tuple[str, ...]]:
    """(values, names) of the classes, where all targets are among the sorted `values`; values () where they
    are 0, 1, ... already. `names` are those that the data says, None: none; `what` names the data.

    Raises UserError where values and names do not go together.
    """
    if values and isinstance(values[0], str):
        return _of_strings(tuple(str(value) for value in values), names, what)
    numbers = tuple(int(value) for value in values)
    if names is None:
        if len(numbers) < 2:
            raise UserError(f"{what}: all targets are {numbers[0]}; classification needs two classes or more")
        plain = numbers == tuple(range(len(numbers)))
        return () if plain else numbers, tuple(str(value) for value in numbers)
    if all(0 <= number < len(names) for number in numbers):
        return (), names
    if len(numbers) == len(names):
        return numbers, names
    raise _misnamed(numbers, names, what)


def _of_strings(
    values: tuple[str, ...], names: tuple[str, ...] | None, what: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if names is not None and not set(values) <= set(names):
        raise _misnamed(values, names, what)
    found = values if names is None else names
    if len(found) < 2:
        raise UserError(f"{what}: all targets are {found[0]!r}; classification needs two classes or more")
    return found, found


def _misnamed(values: tuple[int, ...] | tuple[str, ...], names: tuple[str, ...], what: str) -> UserError:
    return UserError(
        f"{what}: `classes` names {len(names)} ({listed(names)}), and the targets are {listed(values)}\n"
        "Name each class, or make the targets the places of their names, 0 to "
        f"{len(names) - 1}, or the names themselves."
    )


def listed(values: Sequence[object]) -> str:
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) == len(values) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}..{numbers[-1]}"
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(str(value) for value in values[:SHOWN]) + more
