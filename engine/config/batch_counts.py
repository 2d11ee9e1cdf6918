"""How an epoch is cut into batches, with the short one at its end or without it. No torch."""


def batches(rows: int, batch_size: int, *, drop_last: bool) -> int:
    """Updates that `rows` rows make."""
    return rows // batch_size if drop_last else -(-rows // batch_size)


def ends_alone(rows: int, batch_size: int, *, drop_last: bool) -> bool:
    """Whether the last of `rows` rows is a batch of its own."""
    return batch_size == 1 or (rows % batch_size == 1 and not drop_last)


def near(rows: int, batch_size: int, left: int | None = None) -> int:
    """The batch size nearest to `batch_size`, above 1, that leaves no row of two or more alone: neither in an
    epoch of `rows` nor in the `left` rows of this one."""
    sizes = range(2, max(rows, batch_size) + 2)
    both = {rows, left or rows}
    return min(
        (b for b in sizes if not any(ends_alone(n, b, drop_last=False) for n in both)),
        key=lambda b: abs(b - batch_size),
    )
