"""A short sum of a value: of tensors and arrays, numbers and text, and what holds them."""

import hashlib
from collections import deque
from typing import Any

import numpy as np
import torch
from torch import Tensor

PLAIN = (int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
DEEPEST = 12
OBJECT = 4
"""What an object counts on the way down: what it refers to may refer to everything."""
SIZE = 8


def digest(value: Any) -> str:
    """16 hexadecimal digits. Two values have the same where they are equal to the bit, a tuple and a list
    alike, as a checkpoint has them; of objects that it does not know it sees what they keep, and of those
    without a __dict__ the type alone."""
    made = hashlib.blake2b(digest_size=SIZE)
    _add(made, value, DEEPEST)
    return made.hexdigest()


def _add(made: Any, value: Any, depth: int) -> None:
    if isinstance(value, Tensor):
        _add_tensor(made, value.detach())
    elif isinstance(value, np.ndarray) and value.dtype != object:
        made.update(f"a{value.dtype}{value.shape}".encode())
        made.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, np.generic):
        _add(made, value.item(), depth)
    elif isinstance(value, PLAIN):
        made.update(f"{value!r};".encode(errors="replace"))
    elif depth == 0:
        made.update(b"...")
    elif isinstance(value, dict):
        # In no order, as a set: what a checkpoint holds comes back in another one.
        made.update(("d" + ",".join(sorted(digest(pair) for pair in value.items()))).encode())
    elif isinstance(value, set | frozenset):
        made.update(("s" + ",".join(sorted(digest(part) for part in value))).encode())
    elif isinstance(value, list | tuple | deque | np.ndarray):
        made.update(f"l{len(value)}".encode())
        for part in value:
            _add(made, part, depth - 1)
    else:
        made.update(type(value).__qualname__.encode())
        _add(made, getattr(value, "__dict__", None), max(depth - OBJECT, 0))


def _add_tensor(made: Any, tensor: Tensor) -> None:
    made.update(f"t{tensor.dtype}{tuple(tensor.shape)}".encode())
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        made.update(str(tensor).encode())
        return
    flat = tensor.resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
    if flat.numel():
        made.update(flat.view(torch.uint8).numpy().data)
