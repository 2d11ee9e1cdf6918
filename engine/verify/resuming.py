"""In the next process: the same updates after a resume, compared with those of the first; then it stops."""

import os
import sys

from msgspec.structs import replace

from trainconsole.engine.own_loop.loop import OwnLoop
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.events import Finding
from trainconsole.engine.verify import record
from trainconsole.engine.verify.causes import needs_another, verdict
from trainconsole.engine.verify.record import Verification
from trainconsole.engine.verify.verifier import no_more_data
from trainconsole.engine.verify.witness import Witnessed


class Resuming(Witnessed):
    """`seen` is what the processes before this one saw."""

    def __init__(self, loop: OwnLoop, seen: Verification) -> None:
        self._seen = seen
        super().__init__(loop)
        self._over = False

    def before(self) -> None:
        if self._over or len(self._witness.moments) >= len(self._seen.first.moments):
            self._conclude()

    def after(self) -> None:
        if not self._witness.moments and not self._witness.batches:
            self._witness.begin()

    def data_end(self) -> bool:
        self._over = no_more_data(self._loop)
        return self._over

    def left(self) -> None:
        if not self.is_done:
            self._conclude()

    def leave(self) -> None:
        """What the script does after its loop is for a model that was trained."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    def _conclude(self) -> None:
        """The verdict is in the record, unless one more process has something to say to it."""
        made, run = self._witness.taken(), self._open.report.recorder.path
        is_second = self._seen.resumed is not None
        self._seen = replace(self._seen, **{"again" if is_second else "resumed": made})
        record.write(run, self._seen)
        if needs_another(self._seen):
            self.leave()
        found = verdict(self._seen)
        self._open.boundary.read_back()
        self._open.report.emit(Finding, kind="verify", evidence=found.evidence, remedies=found.remedies)
        self._open.inbox.put(Request(id="verify-end", origin="verify", command="stop"))
        self.is_done = True
