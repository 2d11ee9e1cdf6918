"""`trainconsole.attach`: a script's process becomes the host of a run."""

import atexit
import contextlib
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import torch
from msgspec.structs import replace

from trainconsole.engine.attach import before_attaching
from trainconsole.engine.attach.host import OwnHost
from trainconsole.engine.attach.run import Off, Run
from trainconsole.engine.attach.session import Session
from trainconsole.engine.common import environment
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import message
from trainconsole.engine.config.run import RunConfig, Script
from trainconsole.engine.own_loop.registered import Registered
from trainconsole.engine.own_loop.steered_loop import SteeredLoop
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs import scripts
from trainconsole.engine.runs.launch import prepare, started_for
from trainconsole.engine.runs.scripts import ONE_OF_SEVERAL, Start
from trainconsole.engine.tensors.random_state import seed_generators
from trainconsole.engine.verify import parent, record

SWITCH = 0.001
"""Seconds that training goes on while another thread, which has a command, waits for the interpreter."""

_sessions: list[Session] = []
"""Of this process; the last one is the live one, if any."""


def attach(
    *,
    name: str = "",
    runs_dir: str | os.PathLike[str] = "runs",
    seed: int | None = None,
    grad_norm: bool = False,
    verify: int = 0,
    **objects: Any,
) -> Run | Off:
    """See trainconsole.attach."""
    if environment.is_off() or not environment.is_first():
        return Off()
    if environment.has_others():
        _say(f"trainconsole: {ONE_OF_SEVERAL}; it trains as without")
        return Off()
    registered = Registered(objects)
    before_attaching.call()
    return Run(opened(SteeredLoop(registered, grad_norm=grad_norm), name, Path(runs_dir), seed, verify))


def opened(loop: SteeredLoop, name: str, runs: Path, seed: int | None, verify: int = 0) -> Session:
    """The session of a run that this process was started for, or of a new one in `runs`; the one before it is
    over. Raises UserError."""
    conclude_all()
    start = scripts.given()
    if start is None and verify:
        _verify(verify, name, runs)
    start = start or _prepared(name, runs, seed)
    config = run_directory.read_config(Path(start.path))
    threads = config.threads or (
        run_directory.read_meta(Path(start.path)).last.threads if start.resume else 0
    )
    if threads:
        torch.set_num_threads(threads)
    if seed is not None:
        seed_generators(seed)
    if config.evaluation.grad_norm:
        loop.settings.steering.measures_norm = True
    session = Session(loop, OwnHost(Path(start.path)), config, start)
    if not _sessions:
        atexit.register(conclude_all)
        _tell_of_exceptions()
    _sessions.append(session)
    sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH))
    _say(f"trainconsole: 'trainconsole attach {Path(start.path).name}' watches and steers this run")
    return session


def conclude_all(error: BaseException | None = None) -> None:
    """The runs of this process are over."""
    for session in _sessions:
        session.conclude(error)


def _prepared(name: str, runs: Path, seed: int | None) -> Start:
    """A new run of this very process. Raises UserError."""
    command, file = scripts.running()
    script = scripts.described(command, Path.cwd(), file) if command else Script(cwd=str(Path.cwd()))
    chosen = torch.initial_seed() % 2**63 if seed is None else seed
    config = RunConfig(script=replace(script, call=len(_sessions) + 1), seed=chosen)
    command_line = [*command] or sys.argv
    label, data_dir = scripts.label(script), Path.cwd()
    launch = prepare(config, label, runs=runs, data_dir=data_dir, name=name, command_line=command_line)
    return started_for(launch)


def _verify(steps: int, name: str, runs: Path) -> NoReturn:
    """This process starts those that are compared, and ends. Raises UserError."""
    command, file = scripts.running()
    if not command or not 0 < steps <= record.MOST:
        why = "a number of updates from 1 to 1000" if command else "a script, which can be started again"
        raise UserError(f"attach(verify={steps}): this needs {why}")
    script = scripts.described(command, Path.cwd(), file)
    _, found = parent.verify(script, runs=runs, steps=steps, name=name, command_line=command, say=_say)
    print(message(found.told), flush=True)
    sys.exit(parent.code(found))


def _tell_of_exceptions() -> None:
    """What ends the script is in the record, and is then told as it would have been."""
    before = sys.excepthook

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        try:
            conclude_all(error)
        finally:
            before(kind, error, trace)

    sys.excepthook = told


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(message(text), file=sys.stderr, flush=True)
