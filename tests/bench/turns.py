"""Candidates in turns within one process: what disturbs one for longer than a turn disturbs all."""

import gc
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import torch
from torch.utils.data import Sampler

Seconds = dict[str, list[float]]


class Candidate(Protocol):
    """One way to train; it stands still between its turns."""

    def run(self, steps: int) -> None:
        """Do so many updates."""


def take_turns(candidates: Mapping[str, Candidate], steps: int, turns: int, warm_up: int) -> Seconds:
    """Seconds a step of each candidate in each turn. The order of turns is reversed every time."""
    for candidate in candidates.values():
        candidate.run(warm_up)
    gc.collect()
    gc.freeze()
    seconds: Seconds = {name: [] for name in candidates}
    for turn in range(turns):
        for name in list(candidates)[:: 1 if turn % 2 else -1]:
            began = time.perf_counter()
            candidates[name].run(steps)
            seconds[name].append((time.perf_counter() - began) / steps)
    return seconds


def ratios(seconds: Seconds, ours: str, other: str) -> list[float]:
    """How many times as fast as `other` `ours` was, turn by turn."""
    return [b / a for a, b in zip(seconds[ours], seconds[other], strict=True)]


class Gate:
    """Lets a training loop that runs in a thread of its own through, so many steps at a time."""

    def __init__(self) -> None:
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._left = 0
        self._failure: BaseException | None = None

    def open(self, steps: int) -> None:
        """From outside: let `steps` pass and wait until they are done. Raises what the loop raised."""
        self._left = steps
        self._go.release()
        self._done.acquire()
        if self._failure is not None:
            raise RuntimeError("the training loop failed") from self._failure

    def step(self) -> None:
        """From inside, before each step."""
        if self._left == 0:
            self.leave()
            self._done.release()
            self._go.acquire()
            self.enter()
        self._left -= 1

    def leave(self) -> None:
        """What to do when a turn is over."""

    def enter(self) -> None:
        """What to do when a turn begins."""

    def start(self, train: Callable[[], object]) -> None:
        """Run `train` up to its first step. The thread ends with the process."""
        threading.Thread(target=self._run, args=(train,), daemon=True).start()
        self._done.acquire()

    def _run(self, train: Callable[[], object]) -> None:
        try:
            train()
        except BaseException as error:
            self._failure = error
        else:
            self._failure = RuntimeError("it came to its end")
        self._done.release()


class Gated(Sampler[int]):
    """Rows in a new random order each epoch, as RandomSampler gives them; asks `gate` before each batch."""

    def __init__(self, gate: Gate, size: int, batch_size: int) -> None:
        self._gate, self._size, self._batch_size = gate, size, batch_size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[int]:
        for position, index in enumerate(torch.randperm(self._size).tolist()):
            if position % self._batch_size == 0:
                self._gate.step()
            yield index
