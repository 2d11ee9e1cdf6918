"""Every way in, times every kind of input: taken right, or refused in the same words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.ways_in import (
    DIGITS,
    RNG,
    WAYS,
    Listed,
    N,
    X,
    Y,
    arrays,
    dataset_of_arrays,
    dataset_of_tensors,
    given,
    stream,
    subset,
    tensors,
    whole,
)
from torch.utils.data import Subset

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import ImageFolder, Split
from trainconsole.engine.data.load import load

# --- inputs -----------------------------------------------------------------------------------------------

BYTES = RNG.integers(0, 256, (N, 3, 16, 12), dtype="uint8")
GREY = RNG.integers(0, 256, (N, 28, 20), dtype="uint8")
LAST = np.moveaxis(BYTES, 1, -1).copy()
NUMBERS = ("i1", "i2", "i4", "i8", "f2", "f8")
DIVIDED = "images of bytes divided by 255"
TURNED = "channels last turned: (16, 12, 3) -> (3, 16, 12)"
INPUTS = {
    **{dtype: ((X * 9).astype(dtype), (X * 9).astype(dtype), ()) for dtype in NUMBERS},
    "u1 table": ((abs(X) * 9).astype("u1"), (abs(X) * 9).astype("u1"), ()),
    "u2 table": ((abs(X) * 9).astype("u2"), (abs(X) * 9).astype("u2"), ()),
    "bool": (X > 0, X > 0, ()),
    "bytes": (BYTES, BYTES / 255, (DIVIDED,)),
    "bytes, channels last": (LAST, BYTES / 255, (DIVIDED, TURNED)),
    "floats, channels last": (LAST / 255, BYTES / 255, (TURNED,)),
    "grey floats, channel last": (GREY[..., None] / 255, GREY[:, None] / 255,
                                  ("channels last turned: (28, 20, 1) -> (1, 28, 20)",)),
    "grey bytes": (GREY, GREY[:, None] / 255,
                   (DIVIDED, "grey images given a channel: (28, 20) -> (1, 28, 20)")),
    "with alpha": (np.repeat(LAST[..., :1], 4, -1), np.repeat(BYTES[:, :1], 4, 1) / 255,
                   (DIVIDED, "channels last turned: (16, 12, 4) -> (4, 16, 12)")),
    "floats (N, L, F)": (GREY / 255, GREY / 255, ()),
    "one-hot letters": (np.eye(4, dtype="u1")[np.arange(N * 20).reshape(N, 20) % 4],) * 2 + ((),),
    "channels first, 3 wide": (BYTES[:, :, :, :3] / 255, BYTES[:, :, :, :3] / 255, ()),
    "electrodes": (np.ones((N, 22, 100, 1)), np.ones((N, 22, 100, 1)), ()),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", INPUTS)
def test_inputs_are_taken_alike_by_every_way_in(way, kind):
    x, wanted, said = INPUTS[kind]
    data = given(way, x, Y, list(DIGITS) if way is stream else None)
    inputs, targets = whole(data)
    assert inputs.dtype == torch.float32
    assert tuple(inputs.shape[1:]) == data.input_shape == wanted.shape[1:]
    assert torch.allclose(inputs.double(), torch.as_tensor(np.asarray(wanted, "f8")), atol=1e-6)
    assert torch.equal(targets, torch.from_numpy(Y))
    assert data.said == said


@pytest.mark.parametrize("way", WAYS)
def test_inputs_can_be_taken_as_given(way):
    data = given(way, LAST, Y, list(DIGITS) if way is stream else None, as_given=True)
    assert torch.equal(whole(data)[0], torch.from_numpy(LAST).float())
    assert data.said == ()


@pytest.mark.parametrize("way", [arrays, dataset_of_arrays, subset])
@pytest.mark.parametrize(
    ("x", "y"),
    [(X[::-1], Y[::-1]), (X.astype(">f4"), Y.astype(">i8")), (X[:, ::-1], Y), (np.asfortranarray(X), Y)],
)
def test_reversed_and_big_endian_arrays_are_copied(way, x, y):
    inputs, targets = whole(given(way, x, y))
    assert torch.equal(inputs, torch.tensor(x.astype("<f4").copy()))
    assert torch.equal(targets, torch.tensor(y.astype("<i8").copy()))


@pytest.mark.parametrize("way", [arrays, tensors, dataset_of_tensors, stream])
def test_bfloat16_and_read_only(way):
    names = list(DIGITS) if way is stream else None
    x = torch.tensor(X).bfloat16()
    assert torch.equal(whole(given(way, x, Y, names))[0], x.float())
    frozen = X.copy()
    frozen.flags.writeable = False
    assert torch.equal(whole(given(arrays, frozen, Y))[0], torch.tensor(X))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.ma.masked_greater(X, 1.0), "masked array with"),
        (X.astype("c8"), "complex"),
        (np.array([["a"]] * N), "not numbers"),
        (X[:, 0], "single number|do not fit"),
    ],
)
@pytest.mark.parametrize("way", [arrays, dataset_of_arrays])
def test_inputs_that_are_refused(way, x, words):
    with pytest.raises(UserError) as caught:
        given(way, x, Y)
    text = str(caught.value)
    assert any(word in text for word in (*words.split("|"), "is needed")), text
    assert len(text.splitlines()) <= 3


# --- samples of different lengths -------------------------------------------------------------------------


class Ragged(Listed):
    def __getitem__(self, i: int) -> tuple[Any, Any]:
        return torch.full((i % 5 + 2, 3), float(i)), int(Y[i])


class Padded(Ragged):
    @staticmethod
    def collate_fn(samples: list[Any]) -> Any:
        padded = torch.nn.utils.rnn.pad_sequence([x for x, _ in samples], batch_first=True)
        return padded, torch.tensor([y for _, y in samples])


def test_variable_lengths_ask_for_a_collate_and_use_it():
    with pytest.raises(UserError, match=r"differ in shape: .*\nGive it an attribute `collate_fn`"):
        given(Ragged, X, Y)
    data = given(Padded, X, Y)
    (inputs, targets), *_ = data.train.batches(torch.arange(N), 0, 8)
    assert inputs.shape == (8, 6, 3)
    assert targets.tolist() == Y[:8].tolist()
    split = given(lambda x, y: Subset(Padded(x, y), range(N)), X, Y)
    assert next(iter(split.train.batches(torch.arange(N), 0, 4)))[0].shape == (4, 5, 3)


def test_a_length_that_was_not_seen_at_the_first_look_asks_for_it_too():
    class Late(Listed):
        def __getitem__(self, i: int) -> tuple[Any, Any]:
            return torch.zeros(3 + (i == 17)), int(Y[i])

    with pytest.raises(UserError, match=r"inputs of \(3,\) and \(4,\)\nGive the dataset an attribute"):
        whole(given(Late, X, Y))


# --- folder -----------------------------------------------------------------------------------------------


def test_a_folder_gives_what_a_dataset_of_its_bytes_gives(tmp_path):
    from PIL import Image

    for name, shade in (("dark", 40), ("light", 200)):
        (tmp_path / name).mkdir()
        for number in range(6):
            Image.new("RGB", (9, 9), (shade, shade + number, 0)).save(tmp_path / name / f"{number}.png")
    split = Split(test=0, validation=0)
    data = load(ImageFolder(path=str(tmp_path), size=9, split=split), 0, Path("unused"), torch.device("cpu"))
    inputs, targets = whole(data)
    pictures = torch.stack([(x * 255).round().byte() for x in inputs])
    again, labels = whole(given(dataset_of_tensors, pictures, np.array(["dark", "light"])[targets.numpy()]))
    assert torch.equal(again, inputs)
    assert torch.equal(labels, targets)
    assert data.classes == ("dark", "light")
