"""A step on an accelerator waits for nothing: the host runs ahead, and numbers are read back in blocks."""

import pytest
import torch
from support.running import config
from torch.utils._python_dispatch import TorchDispatchMode

from trainconsole.engine.data import load
from trainconsole.engine.optim.guard import DeviceGuard
from trainconsole.engine.training import trainer
from trainconsole.engine.training.trainer import Trainer

WAITING = {"_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "_unique2", "unique_dim"}
"""Operators whose result, or its shape, the host has to know."""

RUNS = {
    "iris": ("iris",),
    "regression": ("diabetes",),
    "clipping, gradient norm": ("iris", "regularisation.clip.norm=1", "evaluation.grad_norm=true"),
    "SGD": ("iris", "optimizer.name=sgd", "optimizer.momentum=0.9"),
    "not fused": ("iris", "optimizer.name=rmsprop"),
    "class weights": ("imbalanced", "data.balance=class_weights"),
    "images": ("digits", "regularisation.augment=1", "regularisation.dropout=0.2", "data.limit=300"),
    "l1, smoothing": ("digits", "regularisation.l1=0.001", "regularisation.label_smoothing=0.1"),
    "bfloat16": ("iris", "precision=bfloat16"),
}


class Unwaiting(TorchDispatchMode):
    """Fails at the first operator that waits."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        assert name not in WAITING, f"{name} waits for the device"
        return func(*args, **kwargs or {})


def settled(folder, run, device):
    """A trainer after its first steps, which make the optimizer's state and look once."""
    chosen = config(*run)
    made = Trainer(chosen, load.load(chosen.data, chosen.seed, folder, device), device)
    for _ in range(2):
        made.train_step()
    return made


@pytest.mark.parametrize("name", RUNS)
def test_no_operator_of_a_step_waits(tmp_path, monkeypatch, name):
    monkeypatch.setattr(trainer, "build_guard", lambda m, d, sticky: DeviceGuard(m, d, sticky=sticky))
    made = settled(tmp_path, RUNS[name], torch.device("cpu"))
    with Unwaiting():
        for _ in range(2):
            made.train_step()
    assert made.step == 4


def test_what_waits_is_found(tmp_path):
    made = settled(tmp_path, ("iris",), torch.device("cpu"))
    with Unwaiting(), pytest.raises(AssertionError, match="waits for the device"):
        made.train_step()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", RUNS)
def test_nothing_waits_for_a_cuda_device(tmp_path, name):
    made = settled(tmp_path, RUNS[name], torch.device("cuda"))
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(2):
            made.train_step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
