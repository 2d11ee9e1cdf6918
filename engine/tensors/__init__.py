"""States as tensors: copies, digests, generators, what can be stored, the memory for it."""
