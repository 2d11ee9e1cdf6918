"""The built-in trainer as a step boundary steers it."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch

from trainconsole.engine.checkpoints.schema import RunState
from trainconsole.engine.config.tasks import METRICS
from trainconsole.engine.protocol.commands import Command
from trainconsole.engine.protocol.events import Trouble
from trainconsole.engine.protocol.status import InForce
from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.reporting.steered import Numbers, Progress
from trainconsole.engine.steering import commands, in_force, nonfinite_updates
from trainconsole.engine.tensors.random_state import generators_kept
from trainconsole.engine.training.metrics import batch_metrics
from trainconsole.engine.training.step import Step
from trainconsole.engine.training.trainer import Trainer


class SteeredTrainer(Trainer):
    """Meets reporting.steered.Stepped."""

    @property
    def on_nonfinite(self) -> str:
        return self.config.on_nonfinite or "pause"

    @property
    def metric_name(self) -> str:
        return METRICS[self.data.task][0]

    def progress(self) -> Progress:
        config = self.config
        return Progress(
            steps=self.end.step,
            epoch=min(self.epoch, config.epochs),
            epochs=config.epochs,
            epochs_done=self.position.epochs,
            plan=self.plan,
            patience_left=self.patience.left(config.early_stopping),
        )

    def in_force(self) -> InForce:
        return in_force.in_force(self)

    def apply(self, command: Command) -> Effect:
        return commands.apply(command, self)

    def origin_state(self) -> RunState:
        with generators_kept(self.device):
            return self.fresh().state_dict()

    def rows(self, steps: Sequence[Step]) -> Rows:
        rows = np.empty(len(steps), dtype=ROW)
        rows["loss"] = torch.stack([step.loss for step in steps]).float().cpu().numpy()
        rows["grad_norm"] = torch.stack([step.grad_norm for step in steps]).float().cpu().numpy()
        outputs, targets = [step.outputs for step in steps], [step.targets for step in steps]
        scale, threshold = self.target_scale, self.loss.threshold
        rows["metric"] = batch_metrics(outputs, targets, self.data.task, scale, threshold)
        rows["step"] = [step.number for step in steps]
        rows["epoch"] = [step.epoch for step in steps]
        rows["lr"] = [step.lr for step in steps]
        return rows

    def count(self, rows: Rows, steps: Sequence[Step]) -> None:
        sizes = (step.last_sample - step.first_sample for step in steps)
        self.means = self.means.counted(rows["loss"].tolist(), rows["metric"].tolist(), sizes)

    def own_numbers(self, steps: Sequence[Step]) -> Mapping[str, Numbers]:
        return {}

    def bad(self, rows: Rows, steps: Sequence[Step]) -> Iterable[int]:
        bad = ~np.isfinite(rows["loss"]) | np.array([step.withheld for step in steps])
        if self.guards_norm:
            bad |= ~np.isfinite(rows["grad_norm"])
        return np.flatnonzero(bad).tolist()

    def diagnose(self, step: Step) -> Trouble:
        return nonfinite_updates.diagnose(self, step)
