"""The run that `attach` returns: what a script calls in its loop."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, TypeVar

from trainconsole.engine.attach.session import Session
from trainconsole.engine.own_loop.data_order import Order, order_of
from trainconsole.engine.own_loop.numbers import Number, checked

T = TypeVar("T")
_END: Any = object()


class Run:
    """Five names for a loop: `epochs`, `batches`, `log`, `evaluate`, `boundary`. Used by one thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._orders: dict[int, tuple[Any, Order]] = {}
        self._logged: dict[str, list[Number]] = {}
        session.settle = self._settle

    @property
    def path(self) -> str:
        """The run directory."""
        return str(self._session.host.run)

    def epochs(self, count: int) -> Iterator[int]:
        """In place of range(count): 0, 1, ... An undo may give an earlier one again, and `stop` ends it."""
        session, loop = self._session, self._session.loop
        loop.has_epochs = True
        session.begin()
        session.begin_loop(count)
        whole = False
        try:
            while session.goes_on():
                yield session.passes.next_epoch() - loop.first_epoch
                session.end_epoch()
            whole = True
        finally:
            session.leave_loop(whole=whole)

    def batches(self, source: Iterable[T]) -> Iterator[T]:
        """In place of `source`, a DataLoader or anything else that can be iterated over: the same batches, a
        step boundary before each. The order of a map-style DataLoader depends on (seed, epoch) alone."""
        session, loop = self._session, self._session.loop
        order = self._order(source)
        loop.batches, loop.batch_size = order.batches, order.size
        session.begin()
        if not session.enter():
            return
        moved = False
        try:
            while True:
                moves = loop.moves
                items = order.start(loop.epochs_done, loop.consumed)
                for item in self._served(items, moves):
                    loop.consumed += 1
                    yield item
                moved = loop.moves != moves
                if session.is_over or not moved or not session.passes.is_here():
                    break
        finally:
            # After a `break` as well.
            self._settle()
            session.passes.leave(whole=not moved and not session.is_over)

    @property
    def batch(self) -> int:
        """Which batch of its pass over the data the script has, from 0. After an undo or a resume it is the
        right one, where enumerate() would count on or begin again."""
        return self._session.loop.consumed - 1

    def _served(self, items: Iterator[T], moves: int) -> Iterator[T]:
        """`items` until the run is somewhere else, or over."""
        session, loop = self._session, self._session.loop
        while True:
            self._boundary(is_last=loop.batches is not None and loop.consumed >= loop.batches)
            if session.is_over or loop.moves != moves:
                return
            item = next(items, _END)
            if item is _END:
                if session.verifier.data_end():
                    session.serve()
                return
            session.verifier.gives(item)
            yield item

    def boundary(self) -> bool:
        """A step boundary, for a loop without a loader, as in `while run.boundary():`. False once the run is
        stopped."""
        return self._boundary()

    def _boundary(self, *, is_last: bool = False) -> bool:
        session = self._session
        session.begin()
        self._settle()
        if session.is_over:
            return False
        return session.serve() if session.is_due(is_last=is_last) else True

    def _settle(self) -> None:
        """An update that was made since the last time is a step."""
        session = self._session
        if not session.is_over and session.updates():
            logged, self._logged = self._logged, {}
            session.step_done(logged)

    def log(self, **numbers: float | Number) -> None:
        """Numbers of this update, or between two epochs of this step. Tensors of one value are kept and read
        back later: nothing waits for the device. What comes more often than an update is averaged."""
        logged = self._logged
        for name, value in numbers.items():
            logged.setdefault(name, []).append(checked(name, value))
        if self._session.is_between and logged:
            self._logged = {}
            self._session.note(logged)

    def evaluate(self, measure: Callable[[], Mapping[str, Any]]) -> dict[str, float] | None:
        """What `measure` returns, as numbers; at the end of an epoch they are its validation. None, and not
        called, in an epoch that was cut short. The key for an evaluation calls it too."""
        return self._session.evaluated(measure)

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.conclude(error)

    def _order(self, source: Iterable[Any]) -> Order:
        known = self._orders.get(id(source))
        if known is None or known[0] is not source:
            order = order_of(source, self._session.seed)
            self._orders[id(source)] = (source, order)
            self._session.warn(order.warning)
            self._session.verifier.reads(source, order)
            return order
        return known[1]


class Off:
    """What `attach` returns with TRAINCONSOLE=off: the loop as it is without it."""

    path = ""
    batch = -1

    def epochs(self, count: int) -> Iterator[int]:
        return iter(range(count))

    def batches(self, source: Iterable[T]) -> Iterator[T]:
        for self.batch, item in enumerate(source):
            yield item

    def boundary(self) -> bool:
        return True

    def log(self, **numbers: Any) -> None:
        """Nothing."""

    def evaluate(self, measure: Callable[[], Mapping[str, Any]]) -> dict[str, float] | None:
        return dict(measure())

    def __enter__(self) -> "Off":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing."""
