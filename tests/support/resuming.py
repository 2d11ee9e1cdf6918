"""Runs in this process that die in the middle, go on, and are repeated."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from support.running import Ear, Hand, Ran, Wish, config, run_config
from trainconsole.engine.protocol.commands import Interrupt, Request
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs.launch import Launch, prepare, reopen
from trainconsole.engine.runs.replay import recipe
from trainconsole.engine.session import setup


class Killed(Exception):
    """The process is gone: nothing is concluded, nothing more is written."""


class Mortal(Hand):
    """Dies once so many updates are done, or so many commands were given."""

    def __init__(
        self,
        after: Mapping[int, Sequence[Wish]],
        waits: Sequence[Wish],
        dies: int | None,
        dies_after: int | None,
    ) -> None:
        super().__init__(after, waits)
        self._dies = dies
        self._dies_after = dies_after
        self._first: list[Request] = []
        self._looks = 0

    def put(self, wish: Wish | Request) -> None:
        """As a queue does: the first comes out first."""
        assert isinstance(wish, Request)
        self._first.append(wish)

    def get(self) -> Request | Interrupt:
        return self._first.pop(0) if self._first else super().get()

    def empty(self) -> bool:
        if self._dies is not None and self.trainer is not None and self.trainer.step >= self._dies:
            raise Killed
        if self._dies_after is not None and self._given >= self._dies_after:
            # The boundary has looked twice before it serves the last of them.
            self._looks += 1
            if self._looks > 2:
                raise Killed
        return not self._first and super().empty()


def live(
    launch: Launch,
    after: Mapping[int, Sequence[Wish]] | None = None,
    waits: Sequence[Wish] = (),
    dies: int | None = None,
    dies_after: int | None = None,
) -> Ran:
    """One session of a run, to its end or to its death."""
    hand, heard = Mortal(after or {}, waits, dies, dies_after), Ear(launch.path)
    trainer = setup.set_up(launch, lambda stage: None)
    status = Status(pid=1, run=launch.path.name)
    loop, report = setup.begin(trainer, launch, status, heard, hand)  # type: ignore[arg-type]
    hand.trainer = trainer
    try:
        loop.run()
    except Killed:
        pass
    finally:
        loop.close()
    return Ran(launch.path, launch, trainer, report.status, heard)


def start(folder: Path, preset: str, *assignments: str, at: Sequence[str] = ()) -> Launch:
    chosen = config(preset, *assignments, at=at)
    return prepare(chosen, "test", runs=folder, data_dir=folder / "data", device="cpu", threads=1)


def go_on(ran: Ran, *assignments: str) -> Launch:
    return reopen(ran.path, assignments=assignments, default_data_dir=ran.path)


def repeated(ran: Ran, folder: Path) -> Ran:
    """Its replay."""
    wanted = recipe(ran.path)
    return run_config(folder, wanted.config, repeats=wanted.data)


def chosen_steps(ran: Ran) -> list[int]:
    """The steps of all rows, of whatever branch, in the order written."""
    return [int(step) for step in run_directory.read_rows(ran.path)["step"]]
