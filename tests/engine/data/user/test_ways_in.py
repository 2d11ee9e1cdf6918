"""Every way in, times every kind of target: taken right, or refused in the same words."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from support.ways_in import (
    DIGITS,
    MAPS,
    RNG,
    WAYS,
    N,
    X,
    Y,
    arrays,
    dataset_of_tensors,
    dataset_that_states_its_targets,
    given,
    stream,
    tensors,
    whole,
)

from trainconsole.engine.common.errors import UserError

# --- targets that are taken -------------------------------------------------------------------------------

SHARES = np.random.default_rng(1).dirichlet(np.ones(3), N)
WORDS = np.array(["ant", "bee", "cat"])[Y]


@dataclass(frozen=True)
class Taken:
    """`y` becomes `wanted`, of the classes `names`; where something is said of it, `said`."""

    y: Any
    wanted: Any
    names: tuple[str, ...] = ()
    said: str = ""


TAKEN = {
    **{
        f"classes {dtype}": Taken(Y.astype(dtype), Y, DIGITS)
        for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8")
    },
    "classes bool": Taken(Y > 0, Y > 0, ("0", "1")),
    "classes (N, 1)": Taken(Y[:, None], Y, DIGITS),
    "classes from 1": Taken(Y + 1, Y, ("1", "2", "3"), "labels 1..3 renamed to classes 0..2"),
    "classes -1 and 1": Taken(Y % 2 * 2 - 1, Y % 2, ("-1", "1"), "labels -1, 1 renamed to classes 0, 1"),
    "classes with gaps": Taken(Y * 10, Y, ("0", "10", "20"), "labels 0, 10, 20 renamed to classes 0..2"),
    "strings": Taken(WORDS, Y, ("ant", "bee", "cat"), "labels ant, bee, cat renamed to classes 0..2"),
    **{f"one number {dtype}": Taken(X[:, 0].astype(dtype), X[:, :1]) for dtype in ("f4", "f8")},
    "one number f2": Taken(X[:, 0].astype("f2"), X[:, :1].astype("f2")),
    "one number (N, 1)": Taken(X[:, :1], X[:, :1]),
    **{f"shares {dtype}": Taken(SHARES.astype(dtype), SHARES, DIGITS) for dtype in ("f4", "f8")},
    "one-hot floats": Taken(np.eye(3, dtype="f4")[Y], np.eye(3)[Y], DIGITS),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", TAKEN)
def test_targets_are_taken_alike_by_every_way_in(way, kind):
    case = TAKEN[kind]
    if way is stream and case.said and kind != "strings":
        pytest.skip("a stream says its classes")
    names = list(case.names) if way is stream and case.names else None
    data = given(way, X, case.y, names)
    inputs, targets = whole(data)
    assert torch.equal(inputs, torch.from_numpy(X))
    assert data.classes == case.names
    assert data.task == ("classification" if case.names else "regression")
    assert targets.dtype == (
        torch.int64 if data.classes and "shares" not in kind and "hot" not in kind else torch.float32
    )
    wanted = torch.as_tensor(np.asarray(case.wanted, dtype="f8"))
    assert torch.allclose(targets.double(), wanted.reshape(targets.shape), atol=1e-6)
    assert data.said == ((case.said,) if case.said else ())


@pytest.mark.parametrize("way", WAYS[2:])
def test_names_that_the_data_says_are_those_of_its_classes(way):
    data = given(way, X, Y, ["a", "b", "c", "d"])
    assert data.classes == ("a", "b", "c", "d")
    assert torch.equal(whole(data)[1], torch.from_numpy(Y))


@pytest.mark.parametrize("way", WAYS[3:])
def test_strings_have_the_order_of_the_names(way):
    data = given(way, X, WORDS, ["cat", "bee", "ant"])
    assert data.classes == ("cat", "bee", "ant")
    assert torch.equal(whole(data)[1], torch.from_numpy(2 - Y))


@pytest.mark.parametrize("way", [dataset_of_tensors, dataset_that_states_its_targets, stream])
def test_names_for_labels_that_do_not_begin_at_0(way):
    data = given(way, X, Y + 1, ["a", "b", "c"])
    assert data.classes == ("a", "b", "c")
    assert torch.equal(whole(data)[1], torch.from_numpy(Y))
    assert data.said == ("labels 1..3 renamed to classes 0..2",)


# --- targets that are refused -----------------------------------------------------------------------------

BAD = X[:, 0].copy()
BAD[0] = np.nan
REFUSED = {
    "two numbers": (X[:, :2] * 5, "2 numbers a row (multi-output)"),
    "yes/no floats": ((X[:, :3] > 0).astype("f4"), "3 yes/no labels a row (multi-label)"),
    "yes/no integers": ((X[:, :3] > 0).astype("i8"), "3 yes/no labels a row (multi-label)"),
    "the inputs": (X, "4 numbers a row|the shape of the inputs"),
    "one-hot integers": (np.eye(3, dtype="i8")[Y], "one-hot: 3 integers a row"),
    "a sequence": (np.arange(N * 5).reshape(N, 5), "5 integers a row (a sequence?)"),
    "a mask": (np.ones((N, 8, 8), "i8"), "(8, 8) integers a row, a mask"),
    "a map": (np.ones((N, 8, 8), "f4") * 0.3, "(8, 8) numbers a row"),
    "nearly shares": (np.where(np.arange(N)[:, None] == N - 1, 0.1, SHARES), "but row"),
    "NaN": (BAD, "not a finite number (NaN or infinite): row 0"),
    "complex": (X[:, 0].astype("c8"), "complex"),
    "objects": (np.array([object()] * N), "not numbers"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", REFUSED)
def test_targets_are_refused_in_the_same_words_by_every_way_in(way, kind):
    y, words = REFUSED[kind]
    if kind == "objects" and way is not arrays:
        pytest.skip("only an array holds objects")
    if kind == "nearly shares" and way is stream:
        y = y[::-1].copy()
    with pytest.raises(UserError) as caught:
        given(way, X, y, ["a", "b", "c"] if way is stream else None)
    text = str(caught.value)
    assert any(word in text for word in words.split("|")), text
    assert text.startswith("data.name: the train targets")
    assert len(text.splitlines()) <= 3


@pytest.mark.parametrize(
    ("names", "y", "words"),
    [
        (["a", "b"], Y, "names 2 (a, b), and the targets are 0..2"),
        (["a", "b"], WORDS, "names 2 (a, b), and the targets are ant, bee, cat"),
        (["a", "b"], SHARES, "2 names, and the targets are probabilities of 3 classes"),
        (["a", "b", "c"], Y.astype("f4"), "floating-point numbers, and `classes` has 3 names"),
    ],
)
@pytest.mark.parametrize("way", [dataset_of_tensors, dataset_that_states_its_targets, stream])
def test_names_that_do_not_fit_the_targets_are_refused(way, names, y, words):
    with pytest.raises(UserError) as caught:
        given(way, X, y, names)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize("way", MAPS)
def test_a_single_class_is_refused(way):
    with pytest.raises(UserError, match="all targets are 0; classification needs two classes"):
        given(way, X, Y * 0)


def test_a_stream_that_does_not_say_its_classes_is_told_to():
    with pytest.raises(UserError, match="give the stream an attribute `classes`"):
        given(stream, X, Y)


def test_a_class_that_was_not_seen_at_the_first_look_is_named_by_the_users_own_index():
    y = Y.copy()
    y[17] = 9
    data = given(dataset_of_tensors, X, y, ["a", "b", "c"])
    with pytest.raises(UserError, match="the target of sample 17 of Listed is 9, none of the 3 classes"):
        whole(data)
    with pytest.raises(UserError, match="the target of sample 17 of the stream Flow is 9"):
        whole(given(stream, X, y, ["a", "b", "c"]))


def test_integers_that_hardly_repeat_are_pointed_out():
    data = given(tensors, X, np.arange(N))
    assert "these have 60 values in 180 rows: for regression make them floats" not in data.warning
    data = given(lambda x, y: (x, y + int(RNG.integers(1, 9)) * 1000), X, np.arange(N))
    assert "rows: for regression make them floats" in data.warning
