"""What torch keeps to itself is there in this version; where it is not, a run comes to the same weights."""

import json
from pathlib import Path

import pytest
import torch
from support.process import trainconsole
from torch import nn, optim

from trainconsole.engine.tensors import torch_internals

STEERED = (
    "step 3: optimizer sgd lr=0.05 momentum=0.9",
    "step 6: optimizer adamw",
    "step 9: lr x0.5",
    "step 11: undo",
    "step 14: optimizer nadam",
)


def test_all_of_it_is_there() -> None:
    for kind in (optim.Adam, optim.AdamW, optim.SGD):
        assert torch_internals.fused_kernel(kind) is not None
    assert torch_internals.fused_kernel(optim.NAdam) is None
    assert torch_internals.CAN_PRETEND
    assert torch_internals._copy_all is not None
    assert torch_internals._NORM_BASE in torch_internals.NORMS
    assert torch_internals._BATCH_BASE in torch_internals.BATCH_NORMS
    assert issubclass(nn.LazyBatchNorm1d, torch_internals.BATCH_NORMS)
    assert all(
        hasattr(getattr(optim.Optimizer, name), "__wrapped__") for name in torch_internals.NEVER_COMPILED
    )


def test_a_kernel_that_takes_other_arguments_is_not_used() -> None:
    def other(parameters: list[torch.Tensor], *, rate: float) -> None: ...

    def nothing(*lists: list[torch.Tensor], **numbers: object) -> None: ...

    assert not torch_internals._takes(other, optim.SGD)
    assert not torch_internals._takes(nothing, optim.Adam)


def test_what_is_not_there_is_none() -> None:
    assert torch_internals._found(torch, "no.such.thing") is None
    assert torch_internals._found(torch, "nn.functional.relu") is torch.nn.functional.relu


@pytest.mark.parametrize("preset", ["iris", "diabetes"])
def test_without_any_of_it_a_steered_run_comes_to_the_same_weights(preset: str, tmp_path: Path) -> None:
    at = [word for text in STEERED for word in ("--at", text)]
    words = ("--preset", preset, "--set", "epochs=6", *at, "--no-ui", "--json", "--threads", "1")
    sums = {}
    for public in ("", "1"):
        ran = trainconsole(*words, "--name", f"public{public}", cwd=tmp_path, TRAINCONSOLE_PUBLIC=public)
        assert ran.code == 0, ran.err
        last = json.loads(ran.out.splitlines()[-1])
        sums[public] = last["weights_sha256"], last["lineage"], last["test"]
    assert sums[""] == sums["1"]
