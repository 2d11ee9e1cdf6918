"""What a checkpoint keeps: as it is, as what it stands for, or refused by name."""

from collections import OrderedDict, defaultdict, deque, namedtuple
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.tensors import storable


class Level(IntEnum):
    HIGH = 3


Pair = namedtuple("Pair", "a b")

KEPT: list[tuple[Any, Any]] = [
    (np.int64(3), 3),
    (np.float64(0.1), 0.1),
    (np.float32(0.5), 0.5),
    (np.bool_(True), True),
    (np.str_("a"), "a"),
    (Level.HIGH, 3),
    ((1, (2, np.int8(3))), [1, [2, 3]]),
    (OrderedDict(a=1), {"a": 1}),
    (defaultdict(int, a=1), {"a": 1}),
    ({np.int64(1): 2, (1, "a"): 3}, {1: 2, (1, "a"): 3}),
    (deque([1, np.int64(2)], maxlen=2), deque([1, 2], maxlen=2)),
    ({1, 2}, {1, 2}),
    (torch.Size([2, 3]), [2, 3]),
    (torch.float16, torch.float16),
    (1 + 2j, 1 + 2j),
    (2**80, 2**80),
    (None, None),
]

REFUSED: list[tuple[Any, str]] = [
    (lambda: 1, r"x\['a'\]\[1\] is a function \(<lambda>\)"),
    (np.zeros(3), "an array of NumPy"),
    (np.longdouble(1), "a longdouble"),
    (Pair(1, 2), "a Pair"),
    (object(), "a object"),
    (frozenset([1]), "a frozenset"),
    (torch.nn.Linear(1, 1), "a Linear"),
    ({object(): 1}, r"a key of x\['a'\]\[1\] is a object"),
]


@pytest.mark.parametrize(("value", "read"), KEPT, ids=[type(value).__name__ for value, _ in KEPT])
def test_what_is_kept_is_the_same_in_a_copy_and_in_a_file(tmp_path: Path, value: Any, read: Any) -> None:
    copy = checkpoint.copy_state({"format": 1, "x": value})
    assert copy["x"] == read
    assert type(copy["x"]) is type(read)
    for name, state in (("a.pt", copy), ("b.pt", {"format": 1, "x": value})):
        checkpoint.save(tmp_path, name, "", state, check=True)
        loaded = checkpoint.load(tmp_path / name)["x"]
        assert loaded == read
        assert type(loaded) is type(read)
        if isinstance(read, deque):
            assert loaded.maxlen == read.maxlen


@pytest.mark.parametrize(("value", "why"), REFUSED, ids=[type(value).__name__ for value, _ in REFUSED])
def test_what_is_refused_is_named_and_no_file_stays(tmp_path: Path, value: Any, why: str) -> None:
    state = {"format": 1, "x": {"a": [1, value]}}
    with pytest.raises(storable.NotStorable, match=f"{why}.*which a checkpoint cannot keep"):
        checkpoint.copy_state(state)
    with pytest.raises(UserError, match=why):
        checkpoint.save(tmp_path, "a.pt", "last", state)
    assert list(tmp_path.iterdir()) == []


class Odd(torch.Tensor):
    """A tensor of a user's own, which torch will not read without its class."""


def test_what_torch_will_not_read_back_is_found_when_it_is_written(tmp_path: Path) -> None:
    odd = torch.zeros(3).as_subclass(Odd)
    with pytest.raises(UserError, match=r"could not be read back: it holds a .*Odd"):
        checkpoint.save(tmp_path, "a.pt", "last", {"format": 1, "x": odd}, check=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", ["sparse", "csr", "complex", "quantized", "scalar", "empty"])
def test_tensors_of_every_kind_are_copied_summed_and_read_back(tmp_path: Path, layout: str) -> None:
    made = {
        "sparse": lambda: torch.eye(3).to_sparse(),
        "csr": lambda: torch.eye(3).to_sparse_csr(),
        "complex": lambda: torch.randn(3, dtype=torch.cfloat),
        "quantized": lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        "scalar": lambda: torch.tensor(3.0),
        "empty": lambda: torch.zeros(0, 4),
    }[layout]()
    state = {"format": 1, "model": {"x": made, "_extra_state": {"a": 1}}}
    room = checkpoint.room_for(state)
    copy = checkpoint.copy_state(checkpoint.copy_state(state, room), room)
    sums = {checkpoint.weights_sha256(part["model"]) for part in (state, copy)}
    checkpoint.save(tmp_path, "a.pt", "", copy, check=True)
    sums.add(checkpoint.weights_sha256(checkpoint.load(tmp_path / "a.pt")["model"]))
    assert len(sums) == 1


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.builds(deque, st.lists(inner))
    ),
    max_leaves=20,
)


@given(trees)
def test_what_is_written_is_read(tree: Any) -> None:
    assert storable.read(storable.written(tree)) == tree
