"""A script's own loop: where it stands, its state, what is in force."""

from typing import cast

import msgspec

from trainconsole.engine.checkpoints.checkpoint import FORMAT
from trainconsole.engine.checkpoints.parts import entries
from trainconsole.engine.checkpoints.schema import Kept, LoopState, RunState
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.own_loop import numbers
from trainconsole.engine.own_loop.numbers import Update
from trainconsole.engine.own_loop.optimizer_hooks import Hooked
from trainconsole.engine.own_loop.registered import Registered
from trainconsole.engine.own_loop.settings import Settings
from trainconsole.engine.protocol.events import Best, Entry, Trouble
from trainconsole.engine.protocol.status import InForce
from trainconsole.engine.reporting.steered import Progress
from trainconsole.engine.schedule.rate_plan import Position
from trainconsole.engine.tensors.random_state import random_state, set_random_state


class OwnLoop:
    """Owned by the thread that trains.

    `consumed` are the batches of this pass that the script was given, `passes` how often it has begun to
    iterate in this epoch, `epochs_done` how many epochs are over, `first_epoch` how many were before the
    loop that the script is in.
    """

    withheld: Trouble | None = None
    best: Best | None = None
    best_state: Kept | None = None

    def __init__(self, registered: Registered, *, grad_norm: bool = False) -> None:
        self.registered = registered
        self.device = registered.device
        self.settings = Settings(registered, grad_norm=grad_norm)
        self.step = self.epochs_done = self.consumed = self.passes = 0
        self.lineage: list[Entry] = []
        self.epochs: int | None = None
        self.batches: int | None = None
        self.batch_size = 0
        self.has_epochs = False
        self.first_epoch = 0
        self.moves = 0
        self.came_from: LoopState | None = None
        self.sums: dict[str, list[float]] = {}

    # --- where it stands ---

    @property
    def epoch(self) -> int:
        return self.epochs_done + 1

    @property
    def starts_epoch(self) -> bool:
        return self.consumed == 0 and self.passes <= 1

    @property
    def total(self) -> int | None:
        """Epochs in all, where that is known."""
        commanded = self.settings.epochs
        return commanded if commanded is not None and commanded > self.first_epoch else self.epochs

    @property
    def position(self) -> Position:
        share = min(self.consumed / self.batches, 1.0) if self.batches else 0.0
        return Position(self.step, self.epochs_done + share)

    @property
    def end(self) -> Position | None:
        """Where it ends as it is now planned, with as many updates a batch as there were so far; None where
        the number of epochs or of their batches is not known."""
        if self.total is None or not self.batches:
            return None
        seen = self.epochs_done * self.batches + self.consumed
        left = max(self.total * self.batches - seen, 0)
        share = self.step / seen if self.step and seen else 1.0
        return Position(self.step + round(left * share), float(self.total))

    def progress(self) -> Progress:
        end = self.end
        return Progress(
            steps=end.step if end else 0,
            epoch=min(self.epoch, self.total) if self.total else self.epoch,
            epochs=self.total or 0,
            epochs_done=self.position.epochs,
            plan=self.settings.shown_plan,
        )

    def in_force(self) -> InForce:
        end = self.end
        return self.settings.in_force(
            epochs=self.total or 0, batch_size=self.batch_size, steps=end.step if end else 0
        )

    # --- updates ---

    def updated(self, hooked: Hooked, logged: dict[str, list[numbers.Number]]) -> Update:
        """An update was made, of the epoch that is not over yet."""
        self.step += 1
        made = Update(self.step, self.epochs_done + 1, hooked.lr, logged, hooked.norm)
        if self.settings.plan is not None:
            self.settings.plan_next(self.position)
        return made

    # --- epochs ---

    def epoch_means(self) -> dict[str, float]:
        """Of loss and metric over the updates of this epoch so far."""
        return {name: total / count for name, (total, count) in self.sums.items() if count}

    def close_epoch(self) -> None:
        self.epochs_done += 1
        self.sums = {}
        self.consumed = self.passes = 0
        self.settings.plan_next(self.position)

    # --- state ---

    def state_dict(self) -> LoopState:
        return {
            "format": FORMAT,
            "model": self.registered.weights(),
            "objects": self.registered.objects(),
            "steering": {
                **self.settings.state_dict(),
                "passes": self.passes,
                "sums": {name: list(values) for name, values in self.sums.items()},
            },
            "position": {"step": self.step, "epoch": self.epochs_done, "consumed": self.consumed},
            "best": None,
            "lineage": [(step, command) for step, command, _ in self.lineage],
            "lineage_ids": [name for *_, name in self.lineage],
            "random": random_state(self.device),
        }

    def load_state_dict(self, saved: RunState) -> None:
        state = cast(LoopState, saved)
        position = state["position"]
        if not self.has_epochs and self.moves + self.step and position["epoch"] != self.epochs_done:
            raise UserError(
                f"that is in epoch {position['epoch'] + 1}, and this loop counts its epochs itself:"
                " write 'for epoch in run.epochs(N)' in place of range(N), and it can go back there"
            )
        if position["epoch"] < self.first_epoch:
            raise UserError(
                f"that is in epoch {position['epoch'] + 1}, of a run.epochs loop that the script has left"
            )
        self.registered.check(state)
        self.bring_back(state)
        self.step, self.epochs_done = position["step"], position["epoch"]
        self.consumed, self.passes = position["consumed"], int(state["steering"]["passes"])
        self.sums = msgspec.convert(state["steering"]["sums"], dict[str, list[float]])
        self.lineage = entries(state)
        self.moves += 1
        self.came_from = state

    def bring_back(self, state: LoopState) -> None:
        """The objects and generators as they were; where the loop stands is not touched."""
        self.settings.load_state_dict(state["steering"])
        self.registered.load_state_dict(state)
        set_random_state(state["random"], self.device)
