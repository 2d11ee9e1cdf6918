"""What is noticed of a process below `trainconsole run`, until it is the one that trains: its losses, and the
first step of an optimizer.

Torch's hooks for all optimizers are used; nothing of ours but this and `losses` is loaded before that step.
"""

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from torch import optim
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from trainconsole.engine.attach import before_attaching
from trainconsole.engine.common.environment import is_off
from trainconsole.engine.unchanged.losses import Losses

if TYPE_CHECKING:
    from trainconsole.engine.unchanged.watch import Watch


def install() -> None:
    """Notice this process, unless TRAINCONSOLE=off."""
    if not is_off():
        Noticing()


class Noticing:
    """`watch` is there once this process trains. A failure of ours never is one of the script's: it is told,
    and the script goes on unwatched."""

    def __init__(self) -> None:
        self._losses = Losses()
        self._watch: Watch | None = None
        self._active = True
        self._handles = [
            register_optimizer_step_pre_hook(self._before),
            register_optimizer_step_post_hook(self._after),
        ]
        before_attaching.ask(self._make_way)
        os.register_at_fork(after_in_child=self._in_child)

    def _before(self, optimizer: optim.Optimizer, args: Any, kwargs: Any) -> None:
        if not self._active:
            return
        try:
            if self._watch is None:
                self._begin(optimizer)
            if self._watch is not None:
                self._watch.before(optimizer)
        except Exception as error:
            self._give_up(error)
        except SystemExit:
            self._let_go()
            raise

    def _after(self, optimizer: optim.Optimizer, args: Any, kwargs: Any) -> None:
        if self._watch is None or not self._active:
            return
        try:
            self._watch.after(optimizer)
        except Exception as error:
            self._give_up(error)

    def _begin(self, optimizer: optim.Optimizer) -> None:
        from trainconsole.engine.unchanged.beginning import claimed

        run = claimed()
        if run is None:
            self._let_go()
            return
        from trainconsole.engine.unchanged.watch import Watch

        self._watch = Watch(run, self._losses, optimizer)
        atexit.register(self._conclude)

    def _conclude(self) -> None:
        if self._watch is not None:
            try:
                self._watch.conclude()
            except Exception as error:
                self._give_up(error)

    def _make_way(self) -> None:
        """The script attaches: its run is its own."""
        watch, self._watch = self._watch, None
        self._remove()
        if watch is not None:
            atexit.unregister(self._conclude)
            watch.step_aside("the script attached here: what follows is a run of its own")

    def _in_child(self) -> None:
        """What was claimed before is the parent's; nothing is noticed of this process any more."""
        if self._watch is not None:
            self._watch.left_behind()
            self._remove()

    def _give_up(self, error: Exception) -> None:
        self._let_go()
        if sys.stderr is not None:
            from trainconsole.engine.common.escapes import message

            why = f"trainconsole: the script goes on unwatched: {type(error).__name__}: {error}"
            print(message(why), file=sys.stderr)

    def _let_go(self) -> None:
        """Within a step, whose hooks torch goes through just now: what they call does nothing more."""
        self._active = False
        self._losses.remove()

    def _remove(self) -> None:
        self._let_go()
        for handle in self._handles:
            handle.remove()
