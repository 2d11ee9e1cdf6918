"""A loop of one's own in this process and this thread: steered from inside, killed, resumed, repeated."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trainconsole.engine.attach import attach as attaching
from trainconsole.engine.attach.run import Run
from trainconsole.engine.config.run import RunConfig, Script
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.runs import scripts
from trainconsole.engine.runs.launch import Launch, prepare, started_for
from trainconsole.engine.runs.replay import recipe
from trainconsole.engine.runs.scripts import Start

Loop = Callable[["Live"], None]


class Killed(BaseException):
    """The process is gone: nothing is concluded."""


@dataclass
class Ran:
    path: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = (self.path / "events.jsonl").read_bytes().splitlines()
        return [msgspec.json.decode(line) for line in lines]

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] in kinds]

    @property
    def applied(self) -> list[str]:
        return [event["command"] for event in self.of("command_applied")]

    @property
    def rejected(self) -> list[str]:
        return [event["reason"] for event in self.of("command_rejected")]

    @property
    def weights(self) -> str:
        (finished,) = self.of("finished")[-1:]
        return str(finished["weights_sha256"])


class Live:
    """What a loop is given: `attach`, and hands that give commands from within it, each once."""

    def __init__(self, folder: Path, *, steered: bool) -> None:
        self.folder = folder
        self.run: Run | None = None
        self._steered = steered
        self._given: set[Any] = set()

    def attach(self, **objects: Any) -> Run:
        # As in a process of its own: this is the first call.
        attaching.conclude_all()
        attaching._sessions.clear()
        found = attaching.attach(runs_dir=self.folder, **objects)
        assert isinstance(found, Run)
        self.run = found
        return found

    @property
    def session(self) -> Any:
        assert self.run is not None
        return self.run._session

    def once(self, place: Any) -> bool:
        """Whether this is a steered run, and nothing was given at `place` yet."""
        fresh = self._steered and place not in self._given
        self._given.add(place)
        return fresh

    def tell(self, *commands: str, at: Any = None) -> None:
        """Commands that wait from now on; those of one `at` are given once."""
        if self.once((at, commands)):
            for index, command in enumerate(commands):
                self.session.host.inbox.put(Request(id=f"{at}-{index}", origin="test", command=command))

    def killed(self, copy: Path, at: Any = None) -> None:
        """What a kill -9 at this moment leaves is in `copy`; what is on its way to the disk gets there."""
        if self.once(("killed", at)):
            assert self.run is not None
            self.session._begun.travel.saver._jobs.join()
            shutil.copytree(self.run.path, copy, symlinks=True)
            raise Killed


def train(folder: Path, loop: Loop, start: Start | None = None, *, steered: bool = True) -> Ran:
    """`loop` to its end or its death; with `start`, as the process that was started for it."""
    live = Live(folder, steered=steered)
    with pytest.MonkeyPatch.context() as patch:
        if start is not None:
            patch.setenv(scripts.VARIABLE, scripts.environment(start)[scripts.VARIABLE])
        try:
            loop(live)
        except Killed:
            pass
        finally:
            attaching.conclude_all()
    assert live.run is not None
    return Ran(Path(live.run.path))


def resumed(path: Path, loop: Loop) -> Ran:
    """The run that a kill left at `path`, gone on with by `loop` in a new process, as nobody steers it."""
    return train(path.parent, loop, Start(path=str(path), resume=True), steered=False)


def replayed(ran: Ran, folder: Path, loop: Loop) -> Ran:
    wanted = recipe(ran.path)
    launch: Launch = prepare(wanted.config, wanted.preset, runs=folder, data_dir=folder)
    launch = msgspec.structs.replace(launch, begins_with=str(ran.path))
    return train(folder, loop, started_for(launch), steered=False)


def launched(folder: Path, *commands: Any) -> Start:
    """A new run as `trainconsole run` prepares it."""
    config = RunConfig(script=Script(cwd=str(folder)), commands=commands)
    return started_for(prepare(config, "test", runs=folder, data_dir=folder))
