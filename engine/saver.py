"""Which checkpoints a run writes, under which names, and the events that say so."""

from pathlib import Path
from typing import Literal

from trainconsole.engine import checkpoint
from trainconsole.engine.checkpoint import State
from trainconsole.engine.messages import CheckpointSaved

Kind = Literal["last", "best", "named"]


class Saver:
    """Writes into run/checkpoints. A file says what it is: last-b0-s000123.pt is of branch 0, step 123."""

    def __init__(self, run: Path) -> None:
        self.directory = run / "checkpoints"
        self._written: dict[str, tuple[int, int, int]] = {}

    def save(self, state: State, kind: Kind, branch: int, name: str = "") -> CheckpointSaved | None:
        """Write `state` and link it as last.pt, best.pt or NAME.pt; None where that is there already.

        Raises OSError where the disk refuses.
        """
        position = state["position"]
        link, at = name or kind, (branch, position["step"], position["epoch"])
        if self._written.get(link) == at:
            return None
        file = f"{link}-b{branch}-s{position['step']:06d}.pt"
        path = checkpoint.save(self.directory, file, link, state)
        self._written[link] = at
        return CheckpointSaved(
            step=position["step"],
            branch=branch,
            path=str(path.relative_to(self.directory.parent)),
            kind=kind,
            epoch=position["epoch"],
            weights_sha256=checkpoint.weights_sha256(state["model"]),
        )
