"""Trainer: model, optimizer, schedule and counters of one run. No threads, no files.

The weights are a function of the config and of the commands applied at their steps; everything that this
function depends on is in `state_dict()`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor, nn

from trainconsole.engine.checkpoints.checkpoint import State, copy_state, weights_sha256
from trainconsole.engine.checkpoints.schema import (
    InitialWeights,
    Kept,
    Placed,
    RunState,
    TrainingState,
    Weights,
)
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.config.tasks import METRICS
from trainconsole.engine.data.load import Data
from trainconsole.engine.data.loading.batches import Source
from trainconsole.engine.data.loading.collate import Batch
from trainconsole.engine.data.loading.loader import Feed
from trainconsole.engine.losses import losses
from trainconsole.engine.losses.binary_targets import as_classes
from trainconsole.engine.losses.target_shapes import by_rows
from trainconsole.engine.models import dropout
from trainconsole.engine.optim import optimizers
from trainconsole.engine.optim.guard import build_guard
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.early_stopping import Patience
from trainconsole.engine.schedule.rate_plan import Plan
from trainconsole.engine.tensors.random_state import random_state, seed_generators, set_random_state
from trainconsole.engine.training import construction, evaluation_pass, metrics, state, watched_metric
from trainconsole.engine.training.epoch_means import Means
from trainconsole.engine.training.position import Place
from trainconsole.engine.training.step import Step


class Trainer(Place):
    """Owned by the training thread alone.

    Raises UserError at construction where config, data and model do not fit each other.
    """

    def __init__(
        self, config: RunConfig, data: Data, device: torch.device, initial: InitialWeights | None = None
    ) -> None:
        super().__init__()
        self.config = self._first_config = config
        self.initial = initial
        self.device = device
        self.told: tuple[str, ...] = ()
        self.best_state: Kept | None = None
        seed_generators(config.seed)
        self.loss = construction.build_loss(config, data, device)
        self.data = data = as_classes(data, self.loss)
        self.patience = Patience(metric=watched_metric.of_patience(config))
        seed_generators(config.seed)
        self.first = construction.first_batch(data)
        self.model = construction.build_model(config, data, self.loss, self.first, device, initial)
        self.whole = construction.whole(self.model, self.loss)
        self.optimizer = self.build_optimizer(config)
        self.plan = rate_plan.start(config.schedule, config.optimizer.lr, self.position, self.end)
        self.guard = build_guard(self.whole, device, sticky=config.on_nonfinite != "skip")
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
        self._nan = torch.full((), float("nan"), device=device)
        self.means = Means()
        self._feed = Feed(data)
        # Whether a step draws from torch's generator, or numpy's or Python's, whose states take 60 us.
        self.draws = self.draws_others = False
        self._before: State | None = None
        self._torn = False
        evaluation_pass.to_training_mode(self.whole)
        self._original_dropout = dropout.rates(self.model)
        self.apply_dropout()
        self._set_rate()

    # --- construction ---

    def build_optimizer(self, config: RunConfig) -> torch.optim.Optimizer:
        groups = construction.parameter_groups(self.model, self.loss, config)
        decay = config.regularisation.weight_decay
        return optimizers.build(config.optimizer, groups, decay, self.device)

    # --- training ---

    def train_step(self) -> Step:
        """One update on the next batch."""
        first = self.consumed
        inputs, targets = self._feed.next(self.config, self.epoch, first)
        rate = optimizers.rate(self.optimizer)
        self._before = random_state(self.device, others=self.draws_others) if self.draws else {}
        self.guard.before()
        with self.autocast():
            outputs = by_rows(self.model(inputs), len(inputs))
            loss = self.loss.train(outputs, targets, self.config.regularisation.label_smoothing)
        norm, withheld = self._nan, self.guard.admits(loss) is False
        if not withheld:
            norm, withheld = self.update(loss)
        self._before = None
        self.step += 1
        self.consumed += len(inputs)
        self._set_rate()
        return Step(
            self.step,
            self.epoch,
            rate,
            loss.detach(),
            outputs.detach(),
            targets,
            norm,
            first,
            self.consumed,
            withheld,
            random_state(self.device, others=self.draws_others) if self.guard.looks_back else None,
            {**self.loss.logged} if self.loss.logged else {},
        )

    def update(self, loss: Tensor) -> tuple[Tensor, bool]:
        """Backward, clip, optimizer step. Returns the gradient norm before clipping, NaN if not measured, and
        whether the update was withheld because that norm was not finite."""
        regularisation = self.config.regularisation
        if regularisation.l1:
            loss = loss + regularisation.l1 * losses.l1_penalty(self.model.parameters())
        optimizers.drop_gradients(self.optimizer)
        if self.scaler.is_enabled():
            loss = self.guard.poisoned(loss)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        clip = regularisation.clip
        norm = self._nan
        if clip.value is not None or clip.norm is not None or self.config.evaluation.grad_norm:
            self.scaler.unscale_(self.optimizer)
            if clip.value is not None:
                nn.utils.clip_grad_value_(self.whole.parameters(), clip.value)
            if clip.norm is not None or self.config.evaluation.grad_norm:
                norm = nn.utils.clip_grad_norm_(self.whole.parameters(), clip.norm or float("inf"))
            if self.guards_norm and self.guard.admits(norm) is False:
                return norm, True
        self._torn = True
        self.guard.step(self.optimizer, self.scaler)
        self._torn = False
        return norm, False

    def change(
        self,
        *,
        plan: Plan | None = None,
        config: RunConfig | None = None,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> None:
        """What a command has changed; the optimizer has the rate that goes with it at once."""
        self.plan = self.plan if plan is None else plan
        self.config = self.config if config is None else config
        if optimizer is not None:
            self.optimizer = optimizer
            self.guard.clear()
        self._set_rate()

    def _set_rate(self) -> None:
        """The only place that sets the rate: that of the next update, whenever what it depends on changed.
        Others read what the optimizer has."""
        optimizers.set_rate(self.optimizer, self.rate)

    def autocast(self) -> AbstractContextManager[Any]:
        return construction.autocast(self.config, self.device)

    def refeed(self) -> None:
        """The next batch is drawn anew: position, batch size, epoch or augmentation changed."""
        self._feed.stop()

    def apply_dropout(self) -> None:
        dropout.set_rates(self.model, self.config.regularisation.dropout, self._original_dropout)
        self.draws |= bool(self.dropout)

    @property
    def dropout(self) -> float | None:
        """The largest rate of a dropout layer; None where the model has no such layer."""
        return max(dropout.rates(self.model).values(), default=None)

    @property
    def guards_norm(self) -> bool:
        """Whether a gradient norm that is not finite withholds the update: where it is measured, but for
        float16, whose scaler meets infinite ones in the normal course of things."""
        config = self.config
        measured = config.regularisation.clip.norm is not None or config.evaluation.grad_norm
        return measured and not self.scaler.is_enabled()

    # --- epochs ---

    def epoch_means(self) -> dict[str, float]:
        """Loss and batch metric, each the mean over the rows of this epoch so far."""
        return self.means.named(METRICS[self.data.task][0])

    def evaluate(self, source: Source, stop: Callable[[], bool] = lambda: False) -> metrics.Tally | None:
        """Metrics of `source` in evaluation mode, without gradients; None where `stop` broke it off."""
        return evaluation_pass.evaluate(self, source, stop)

    def close_epoch(self, train: dict[str, float], val: dict[str, float] | None) -> bool:
        """Count the epoch; best, plateau and patience look at `val`, at `train` where there is none.

        Returns whether this epoch is the best so far.
        """
        self.epochs_done += 1
        self.consumed = 0
        self.means = Means()
        self.refeed()
        is_best = self.judge(val or train)
        self._set_rate()
        return is_best

    def keep_best(self, more: Placed, into: Kept | None) -> None:
        """Copy the state as it is now, and `more` with it, as that of the best epoch; reuses `into`."""
        self.best_state = copy_state({**self.state_dict(), **more}, into)

    def restore_best_weights(self) -> None:
        """The weights of the best epoch; optimizer and counters stay where the run ended."""
        if self.best_state is not None:
            state.load_weights(self, self.best_state)

    # --- trouble ---

    def batch_again(self, order: Tensor, step: Step) -> Batch:
        """The batch of `step`, drawn from `order` once more."""
        return self._feed.again(order, self.config, step.epoch, step.first_sample, step.last_sample)

    def return_to(self, step: Step) -> None:
        """Go back to the boundary after `step`; the updates since were all withheld, so the weights stand."""
        self.step, self.consumed = step.number, step.last_sample
        if step.random is not None:
            set_random_state(step.random, self.device)
        self.guard.clear()
        self.refeed()
        self._set_rate()

    def recover(self) -> bool:
        """After an exception: stand at the boundary before the step that it broke off.

        False where the weights are not those of any boundary: it came from within the update.
        """
        if self._torn or (self.guard.looks_back and self.guard.withheld()):
            return False
        if self._before is not None:
            self.guard.put_back()
            if self._before:
                set_random_state(self._before, self.device)
            self._before = None
        self.refeed()
        return True

    # --- state ---

    def fresh(self) -> "Trainer":
        """Another trainer as this one was at step 0."""
        return Trainer(self._first_config, self.data, self.device, self.initial)

    def state_dict(self) -> TrainingState:
        """Everything that the rest of the run depends on; tensors are the live ones, not copies."""
        return state.state_of(self)

    def load_state_dict(self, saved: RunState) -> None:
        """Bring back all of `state_dict()`; the data stays as it is. What does not fit, or has no room in
        memory, raises before anything has changed."""
        state.bring_back(self, cast(TrainingState, saved))
        self._set_rate()

    def load_weights(self, saved: Weights) -> None:
        """Those of the model, and of the loss where it has any. Raises RuntimeError where they do not fit."""
        state.load_weights(self, saved)

    def weights_sha256(self) -> str:
        return weights_sha256(self.model.state_dict())
