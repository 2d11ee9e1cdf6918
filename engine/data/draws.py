"""What is drawn from a run's seed, each by a generator of its own, so that none shifts another. No torch."""

from enum import IntEnum


class Draw(IntEnum):
    """The last of the numbers that a generator is made from, after the seed and the epoch."""

    ORDER = 1
    AUGMENTATION = 2
    POINTS = 3
