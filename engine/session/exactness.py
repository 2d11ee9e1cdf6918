"""Device, threads and kernels: what must stay the same for a run to be repeated to the bit."""

import warnings

import torch

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.tensors import torch_internals


def choose_device(name: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU. Raises UserError where `name` is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    if not there[name]:
        present = ", ".join(kind for kind in there if there[kind])
        raise UserError(f"--device {name}: this machine has none that torch can use; there is: {present}")
    return torch.device(name)


def make_exact(threads: int) -> None:
    """Threads set, deterministic algorithms where there are any, kernels never chosen by timing."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False
    # The same flags as use_deterministic_algorithms(True, warn_only=True), which takes a second to import
    # a compiler that is not used.
    torch.set_deterministic_debug_mode("warn")
    # Filling every fresh tensor with NaN is for finding bugs and costs time at each allocation.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")


def slow_precision(config: RunConfig, device: torch.device) -> str:
    """What to say of a precision that the processor has no instructions for; "" where it has."""
    if config.precision == "float32" or device.type != "cpu":
        return ""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return ""
    if torch_internals.has_instructions_for(config.precision):
        return ""
    return (
        f"precision {config.precision}: this processor has no instructions for it, and a step may take ten"
        " times as long as in float32; --set precision=float32"
    )
