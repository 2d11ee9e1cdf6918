"""What is kept of a run at a boundary: checkpoints, the best epoch, the snapshots that `undo` takes from."""

import logging

from msgspec.structs import replace

from trainconsole.engine.checkpoints.schema import Kept, Placed
from trainconsole.engine.checkpoints.undo_stack import UndoStack
from trainconsole.engine.checkpoints.writer import Saver
from trainconsole.engine.reporting.refusals import Refused, refused
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.reporting.steered import Steered
from trainconsole.engine.tensors import memory

log = logging.getLogger("trainconsole")


class Saving:
    """Used by the training thread. What is due, and when; the writing is the saver's."""

    def __init__(self, trainer: Steered, report: Reporter, saver: Saver, undo: UndoStack) -> None:
        self.watch = report.watch
        self.saver = saver
        self._trainer = trainer
        self._report = report
        self._undo = undo

    def state(self) -> Kept:
        """The trainer's state with its place in the run; the tensors are live."""
        return {**self._trainer.state_dict(), **self._place()}

    def _place(self) -> Placed:
        return {"branch": self._report.branch, "seconds": self.watch.seconds}

    def keep_best(self) -> None:
        """This epoch is the best: copy it, into the buffers of the one before where nobody needs that."""
        old = self._trainer.best_state
        free = old is not None and not self.saver.holds(old) and not self._undo.holds(old)
        into = old if free else self.saver.take_room()
        more: Placed = {**self._place(), "best_file": ""}
        try:
            self._trainer.keep_best(more, into)
        except (MemoryError, RuntimeError) as error:
            if not memory.ran_out(error):
                raise
            self.saver.release()
            self._trainer.keep_best(more, None)

    def before_change(self) -> bool:
        """Snapshot for `undo`; False where this boundary has one already. Raises Refused."""
        with refused("no room for the snapshot that undo needs"):
            taken = self._undo.take(self.state(), self._trainer.best_state)
        self._report.publish(undo_depth=self._undo.depth)
        return taken

    def forget_change(self) -> None:
        """The command that the snapshot was taken for was refused."""
        self._undo.drop_newest()
        self._report.publish(undo_depth=self._undo.depth)

    def save_last(self) -> None:
        """Copy now, have it written. Waits where the disk refused the one before."""
        self._report.patiently(self._save_last)

    def save_last_now(self) -> None:
        """Copy, and wait until it is written."""

        def save() -> None:
            self._save_last()
            self.saver.flush()

        self._report.patiently(save)
        self.announce()

    def save_what_stands(self) -> str:
        """After an exception: the last good step, into last.pt; "" where none is, or it cannot be written.

        What goes wrong here is less than what went wrong before, and does not take its place.
        """
        try:
            if not self._trainer.recover():
                return ""
            self._save_last()
            self.saver.flush()
            self.announce()
        except Exception:
            log.exception("the last good step could not be saved")
            return ""
        return "checkpoints/last.pt"

    def _save_last(self) -> None:
        self._report.commit()
        self.saver.save_last(self.state(), self._trainer.best_state, self.watch.seconds)

    def save_named(self, name: str) -> str:
        """Raises Refused where NAME.pt is somebody else's."""
        if self.saver.is_foreign(name):
            raise Refused(
                f"checkpoints/{name}.pt is there, and this run did not write it: choose another name"
            )
        self._report.commit()
        return self.saver.save_named(name, self.state(), self._trainer.best_state)

    def save_when_due(self) -> None:
        """In mid-epoch, where the clock asks for it."""
        if not self.saver.has_room:
            self.saver.make_room(self.state(), spare=self._trainer.best_state is None)
        elif self.saver.due(self.watch.seconds, epoch_end=False):
            self.save_last()

    def save_on_request(self, name: str) -> str:
        """Wait until `name` (last where it is "") is on the disk; its path below the run. Raises Refused."""
        try:
            if name:
                self.save_named(name)
                self.saver.flush()
            else:
                self.save_last_now()
        except OSError as error:
            raise Refused(f"not written: {error.strerror}") from None
        self.announce()
        return f"checkpoints/{name or 'last'}.pt"

    def announce(self) -> None:
        """Events for the checkpoints that were written since the last time."""
        led = self._report.led
        for event in self.saver.saved():
            kept = led.shared_texts(event.branch, event.lineage)
            self._report.write(replace(event, kept=kept, lineage=event.lineage[kept:]))

    def close(self) -> None:
        """The session is over: snapshots go, what is queued is written."""
        self._undo.clear()
        self.saver.close()
