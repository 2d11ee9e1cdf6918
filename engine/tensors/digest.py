"""The sum that names the weights of a run, over a state dict."""

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


def weights_sha256(weights: dict[str, Any]) -> str:
    """sha256 over a state dict, entries in sorted key order: key (UTF-8), NUL, dtype without "torch.", NUL,
    sizes joined by "," (empty for a scalar), NUL, the values' little-endian bytes in C order.

    Of a sparse tensor the indices and values of its coalesced form; what is no tensor is left out.
    """
    digest = hashlib.sha256()
    for key in sorted(weights):
        if isinstance(tensor := weights[key], Tensor):
            sizes = ",".join(str(size) for size in tensor.shape)
            digest.update(f"{key}\0{str(tensor.dtype).removeprefix('torch.')}\0{sizes}\0".encode())
            for part in _dense(tensor.detach()):
                # Not copied: 4 M values as bytes would keep the other thread from training for 50 ms.
                digest.update(part.reshape(-1).view(torch.uint8).numpy().data if part.numel() else b"")
    return digest.hexdigest()


def _dense(tensor: Tensor) -> Iterator[Tensor]:
    """What holds the values of `tensor`, on the CPU and in C order."""
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    if tensor.layout == torch.strided:
        yield tensor.cpu().contiguous(memory_format=torch.contiguous_format)
        return
    sparse = tensor.cpu().to_sparse().coalesce()
    yield sparse.indices().contiguous()
    yield sparse.values().contiguous()
