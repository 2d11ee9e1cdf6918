"""Where the script is in its epochs and passes over the data, and how it gets to where the run went.

A run that is resumed, or went back, stands at (epoch, pass, batch); the script is brought there by what its
iterators give: passes that are over give nothing, an epoch that is over is ended early, an earlier one is
given again. What the script does on the way, a scheduler's step, is taken back when it is there.
"""

from trainconsole.engine.own_loop.loop import OwnLoop


class Passes:
    """`heading` says that the script is still on its way; `inside` that it iterates."""

    def __init__(self, loop: OwnLoop) -> None:
        self.inside = self.heading = False
        self.entered = 0
        self._loop = loop
        self._epoch = 0
        self._whole = False

    def moved(self) -> None:
        """The run is somewhere else than the script."""
        loop = self._loop
        self.heading = self.inside or loop.epochs_done != self._epoch or self.entered == 0

    def next_epoch(self) -> int:
        """The epoch that the script is given, from 0."""
        loop = self._loop
        if self.heading:
            self._bring_back()
            self.heading = loop.passes > 0
        self.entered, self._epoch = 0, loop.epochs_done
        return self._epoch

    def enter(self) -> bool:
        """The script begins a pass; False where it is to be given nothing."""
        loop = self._loop
        if not loop.has_epochs:
            return self._enter_epoch()
        self.entered += 1
        if self.heading:
            if self._epoch != loop.epochs_done or self.entered < loop.passes:
                return False
            self._bring_back()
        else:
            loop.passes, loop.consumed = self.entered, 0
        self._arrived()
        return True

    def _enter_epoch(self) -> bool:
        """In a loop that counts its epochs itself, each pass is one."""
        loop = self._loop
        self._epoch = self.entered
        self.entered += 1
        if self.heading and self._epoch < loop.epochs_done:
            return False
        if self.heading:
            self._bring_back()
        else:
            loop.passes, loop.consumed = 1, 0
        self._arrived()
        return True

    def _arrived(self) -> None:
        self.heading, self.inside, self._whole = False, True, False

    def is_here(self) -> bool:
        """After a move within a pass: whether it led to this very pass, which then goes on from there."""
        loop = self._loop
        same = self._epoch == loop.epochs_done
        here = same and (self.entered == loop.passes or not loop.has_epochs)
        if here:
            self.heading = False
        return here

    def leave(self, *, whole: bool) -> None:
        """The pass is over, to its end or cut short."""
        self.inside, self._whole = False, whole

    @property
    def epoch_is_over(self) -> bool:
        """In a loop that counts its epochs itself: the last pass was one."""
        return not self._loop.has_epochs and self._whole

    def _bring_back(self) -> None:
        if self._loop.came_from is not None:
            self._loop.bring_back(self._loop.came_from)
