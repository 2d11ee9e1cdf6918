"""A script that is watched from outside, from its first optimizer step to its end."""

import os
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

from torch import Tensor, optim

from trainconsole.engine.attach.host import OwnHost
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.host.host import reason_of
from trainconsole.engine.own_loop.numbers import Number
from trainconsole.engine.own_loop.optimizer_hooks import Hooked
from trainconsole.engine.protocol import events
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs.launch import abandon_new
from trainconsole.engine.tensors.digest import weights_sha256
from trainconsole.engine.unchanged import names
from trainconsole.engine.unchanged.beginning import Outside, begin
from trainconsole.engine.unchanged.loop import WatchedLoop
from trainconsole.engine.unchanged.losses import Losses

HASHED = 64 * 2**20
"""Values that a script may end with for their sum to be told: it does not wait for that of larger models."""


class Watch:
    """Used by the thread that made the first step. A round is one update of each optimizer: it is over once
    all that are known have stepped, the first one when its first comes again."""

    def __init__(self, run: Path, losses: Losses, optimizer: optim.Optimizer) -> None:
        """Raises UserError and OSError; then the run is left as it was."""
        config = run_directory.read_config(run)
        name = names.name_of(optimizer, ())
        self.loop = WatchedLoop(name, optimizer, grad_norm=config.evaluation.grad_norm)
        self.over = False
        self._losses = losses
        self._known: dict[int, Hooked] = {}
        self._stepped: list[Hooked] = []
        self._logged: dict[str, list[Number]] = {}
        self._first_round = True
        self._inside = 0
        self._thread, self._pid = threading.get_ident(), os.getpid()
        self._failure = getattr(sys, "last_value", None)
        self._host = OwnHost(run)
        try:
            self._begun: Outside = begin(self.loop, self._host, config)
        except BaseException:
            self._leave()
            abandon_new(run)
            raise
        self._know(optimizer, self.loop.settings.hooked[0])

    # --- steps ---

    def before(self, optimizer: optim.Optimizer) -> None:
        """An update comes. Raises SystemExit where the run is stopped before it."""
        key = id(optimizer)
        if self._inside and self._inside != key:
            return
        if threading.get_ident() != self._thread:
            return
        one = self._known.get(key) or self._meet(optimizer)
        if one in self._stepped:
            self._first_round = False
            self.close_round()
        if not self._stepped:
            self._serve()
        self._inside = key
        if noted := self._losses.take():
            self._log(one, noted)

    def after(self, optimizer: optim.Optimizer) -> None:
        """The update was made."""
        if self._inside != id(optimizer) or threading.get_ident() != self._thread:
            return
        self._inside = 0
        one = self._known[id(optimizer)]
        # Of a closure, which an optimizer may call several times.
        if noted := self._losses.take():
            self._logged.clear()
            self._log(one, noted[-1:])
        self._stepped.append(one)
        if not self._first_round and len(self._stepped) >= len(self._known):
            self.close_round()

    def close_round(self) -> None:
        """Its numbers are those of a step."""
        stepped, self._stepped = self._stepped, []
        logged, self._logged = self._logged, {}
        self._begun.boundary.step_done(self.loop.updated(stepped[0], logged))

    def _log(self, one: Hooked, losses: list[Tensor]) -> None:
        """The loss of a step is that of its first optimizer."""
        first = not self._stepped or one is self._stepped[0]
        self._logged["loss" if first else f"loss_{one.name}"] = [*losses]

    def _serve(self) -> None:
        boundary = self._begun.boundary
        boundary.serve()
        if boundary.ending is not None:
            boundary.read_back()
            self._finish("stopped", self._saved(), boundary.ending.stop)
            raise SystemExit(0)

    # --- optimizers ---

    def _meet(self, optimizer: optim.Optimizer) -> Hooked:
        self.loop.forget()
        taken = [one.name for one in self.loop.settings.hooked]
        one = self.loop.meet(names.name_of(optimizer, taken), optimizer)
        self._know(optimizer, one)
        self._begun.report.publish(in_force=self.loop.in_force())
        return one

    def _know(self, optimizer: optim.Optimizer, one: Hooked) -> None:
        key, known = id(optimizer), self._known
        known[key] = one
        weakref.finalize(optimizer, known.pop, key, None).atexit = False

    # --- the end ---

    def conclude(self) -> None:
        """The process ends; an exception that ended it is on record. In a forked child nothing is done."""
        if self.over or os.getpid() != self._pid:
            return
        if self._stepped:
            self.close_round()
        begun, error = self._begun, getattr(sys, "last_value", None)
        begun.report.commit()
        begun.boundary.read_back()
        if error is None or error is self._failure:
            self._finish("completed", "")
        elif isinstance(error, KeyboardInterrupt):
            self._end(events.Interrupted, signal="SIGINT", checkpoint="")
        else:
            self._end(events.Failed, reason=reason_of(error), where="", checkpoint="")

    def step_aside(self, why: str) -> None:
        """Nothing more is recorded or steered; all is the script's again."""
        if self.over or os.getpid() != self._pid:
            return
        if self._stepped:
            self.close_round()
        self._begun.boundary.read_back()
        self._finish("completed", why)

    def left_behind(self) -> None:
        """In a forked child: the run is its parent's."""
        self.over = True
        for one in self.loop.settings.hooked:
            one.remove()

    def _finish(self, reason: str, note: str, stop: Any = ()) -> None:
        self._end(
            events.Finished,
            reason=reason,
            test=None,
            weights="last",
            best=None,
            run=self._host.run.name,
            weights_sha256=self._sum(),
            lineage=tuple((step, command) for step, command, _ in (*self.loop.lineage, *stop)),
            note=note,
        )

    def _end(self, kind: type[events.Event], **fields: Any) -> None:
        self.over = True
        try:
            self._begun.end(kind, **fields)
        finally:
            self._leave()

    def _leave(self) -> None:
        for one in self.loop.settings.hooked:
            one.remove()
        self._host.close()

    def _saved(self) -> str:
        """Save what can be reached; what that was, in words."""
        try:
            what = self.loop.reached().described()
            self._begun.travel.save_last_now()
        except UserError as error:
            return f"not saved: {error}"
        return f"saved in checkpoints/last.pt: {what}"

    def _sum(self) -> str:
        """Of the weights, where they can be reached and are not many; else ""."""
        if sum(p.numel() for p in self.loop.registered.parameters()) > HASHED:
            return ""
        try:
            return weights_sha256(self.loop.reached().weights())
        except UserError:
            return ""
