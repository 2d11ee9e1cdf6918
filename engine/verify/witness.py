"""What one pass over the same updates was: the digests of all that went in and came out."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from torch.utils import data

from trainconsole.engine.own_loop.data_order import Order
from trainconsole.engine.own_loop.loop import OwnLoop
from trainconsole.engine.own_loop.numbers import Number
from trainconsole.engine.tensors.random_state import random_state
from trainconsole.engine.verify.comparing import RANDOM
from trainconsole.engine.verify.digests import digest
from trainconsole.engine.verify.kept import own_generators
from trainconsole.engine.verify.record import Moment, Pass, Source
from trainconsole.engine.verify.verifier import Opened, Verifier

REMEMBERED = 64
"""Batches by which one is known that the script holds."""
CALLED = {"cpu": "torch", "cuda": "cuda"}
"""How the generators of torch are called, by their names in a state."""


class Witness:
    """Collects a pass; `batches` are those given since the last update, `counts` how many there were before
    each since the process began."""

    def __init__(self, loop: OwnLoop) -> None:
        self.sources: dict[int, Source] = {}
        self.given: deque[str] = deque(maxlen=REMEMBERED)
        self.batches: list[str] = []
        self.moments: list[Moment] = []
        self.counts: list[int] = []
        self._loop = loop
        self._start: dict[str, str] = {}
        self._measured: dict[str, str] = {}

    def begin(self) -> None:
        """The updates begin with what there is now."""
        self._start = self.states()
        self.moments, self.batches, self._measured = [], [], {}

    def reads(self, source: Any, order: Order) -> None:
        kind = type(source).__name__
        if isinstance(source, data.DataLoader):
            kind = type(source.dataset).__name__
            more = {"workers": source.num_workers, "generators": tuple(own_generators(source))}
            self.sources[id(source)] = Source(kind=kind, why=order.warning.partition(";")[0], **more)  # type: ignore[arg-type]
        else:
            self.sources[id(source)] = Source(kind=kind, why=order.warning.partition(";")[0])

    def gives(self, batch: Any) -> None:
        found = digest(batch)
        self.batches.append(found)
        self.given.append(found)
        if isinstance(batch, list | tuple):
            # One that is unpacked is known by its first part.
            self.given.append(digest(batch[0]) if batch else found)

    def measured(self, numbers: Mapping[str, float]) -> None:
        """By the script's evaluation; it counts to the update that follows."""
        self._measured |= {f"evaluate {name}": digest(value) for name, value in numbers.items()}

    @property
    def ahead(self) -> int:
        """How many batches the script holds that it has not trained on, by what it was given before its first
        three updates."""
        first, *others = self.counts[:3] or [0]
        return first - others[0] if len({*others}) == 1 and first > others[0] > 0 else 0

    def updated(self, logged: Mapping[str, list[Number]]) -> None:
        self.counts.append(len(self.batches))
        rates = {one.name: digest(one.lr) for one in self._loop.settings.hooked}
        moment = Moment(
            step=self._loop.step,
            batches=tuple(self.batches),
            logged={name: digest(values) for name, values in logged.items()} | self._measured,
            rates=rates,
            states=self.states(),
        )
        self.moments.append(moment)
        self.batches, self._measured = [], {}

    def states(self) -> dict[str, str]:
        """Of each thing that is registered, and of each generator."""
        registered, random = self._loop.registered, random_state(self._loop.device)
        things = registered.modules | registered.optimizers | registered.others
        found = {name: digest(thing.state_dict()) for name, thing in things.items()}
        return found | {f"{RANDOM}{CALLED.get(name, name)}": digest(state) for name, state in random.items()}

    def taken(self) -> Pass:
        return Pass(start=self._start, moments=tuple(self.moments))


class Witnessed(Verifier):
    """A verifier whose witness is told all that the session tells; `begin` comes before all else."""

    _open: Opened

    def __init__(self, loop: OwnLoop) -> None:
        self._loop, self._witness = loop, Witness(loop)

    def begin(self, opened: Opened) -> None:
        self._open = opened

    def reads(self, source: Any, order: Order) -> None:
        self._witness.reads(source, order)

    def gives(self, batch: Any) -> None:
        self._witness.gives(batch)

    def measured(self, numbers: Mapping[str, float]) -> None:
        self._witness.measured(numbers)

    def updated(self, logged: Mapping[str, list[Number]]) -> None:
        self._witness.updated(logged)
