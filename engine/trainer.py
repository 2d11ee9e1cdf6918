"""Trainer: model, optimizer, schedule and counters of one run. No threads, no files.

The weights are a function of the config and of the commands applied at their steps; everything that this
function depends on is in `state_dict()`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from math import isfinite
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor, nn

from trainconsole.engine import augment, losses, metrics, models, optimizers, schedules
from trainconsole.engine.checkpoint import FORMAT, State, copy_state, weights_sha256
from trainconsole.engine.config import RunConfig
from trainconsole.engine.data import Data
from trainconsole.engine.errors import UserError
from trainconsole.engine.messages import Best, Entry, Trouble
from trainconsole.engine.nonfinite import Guard, build_guard, first_nonfinite
from trainconsole.engine.patience import Patience
from trainconsole.engine.reading import decode, plain
from trainconsole.engine.samples import Batch
from trainconsole.engine.schedules import Plan, Position
from trainconsole.engine.sources import Source
from trainconsole.engine.states import entries, random_state, set_random_state


class Step(NamedTuple):
    """One update. The tensors stay on the device until they are read back in a block; loss and grad_norm are
    0-d, outputs and targets the batch's."""

    number: int
    epoch: int
    lr: float
    loss: Tensor
    outputs: Tensor
    targets: Tensor
    grad_norm: Tensor
    first_sample: int
    last_sample: int
    withheld: bool
    random: State | None


class Trainer:
    """Owned by the training thread alone.

    Raises UserError at construction where config, data and model do not fit each other.
    """

    def __init__(
        self, config: RunConfig, data: Data, device: torch.device, initial: State | None = None
    ) -> None:
        self.config = self._first_config = config
        self._initial = initial
        self.data = data
        self.device = device
        self.step = self.epochs_done = self.consumed = 0
        self.lineage: list[Entry] = []
        self.best: Best | None = None
        self.best_state: State | None = None
        torch.manual_seed(config.seed)
        self.loss = losses.build(config.loss, data.task, len(data.classes), data.class_weights)
        if config.regularisation.label_smoothing and not self.loss.supports_smoothing:
            raise UserError(f"regularisation.label_smoothing: not for loss {self.loss.name}; set it to 0")
        self.metric = config.evaluation.metric or metrics.default_metric(data.task)
        self.patience = Patience.of(config.early_stopping, self.metric)
        self.model = self._build_model(initial)
        self.optimizer = self._build_optimizer()
        self.plan = schedules.start(config.schedule, config.optimizer.lr, self.position, self.end)
        self.guard = self._build_guard()
        self._scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
        self._nan = torch.full((), float("nan"), device=device)
        self._epoch_sums = [0.0, 0.0, 0.0]
        self._feed: Iterator[Batch] | None = None
        self._changes: Tensor | None = None
        models.to_training_mode(self.model)
        self._original_dropout = models.dropouts(self.model)
        self.apply_dropout()

    # --- construction ---

    def _build_model(self, initial: State | None) -> nn.Module:
        config = self.config.model
        model = models.build(config, self.data.input_shape, self.loss.outputs)
        if initial is not None:
            fresh_head = tuple(initial.get("classes", ())) != self.data.classes
            models.init_from(model, initial["model"], head=config.head, fresh_head=fresh_head)
        if models.uses_channels_last(model, self.data.input_shape) and config.channels_last:
            model = model.to(memory_format=torch.channels_last)
        model = model.to(self.device)
        sample = next(self.data.train.batches(torch.arange(min(2, self.data.train.size)), 0, 2))[0]
        models.check(model, sample, self.loss.outputs)
        return model

    def _build_optimizer(self) -> torch.optim.Optimizer:
        groups = models.parameter_groups(self.model, self.config.model)
        decay = self.config.regularisation.weight_decay
        return optimizers.build(self.config.optimizer, groups, decay, self.device)

    def _build_guard(self) -> Guard:
        return build_guard(self.model, self.device, sticky=self.config.on_nonfinite != "skip")

    # --- where the run stands ---

    @property
    def epoch(self) -> int:
        """The epoch of the next update, from 1."""
        return self.epochs_done + 1

    @property
    def starts_epoch(self) -> bool:
        return self.consumed == 0

    @property
    def epoch_complete(self) -> bool:
        """All samples are consumed and the epoch is still to be closed."""
        return self.consumed >= self.data.epoch_size

    @property
    def done(self) -> bool:
        return self.epochs_done >= self.config.epochs

    @property
    def position(self) -> Position:
        return Position(self.step, self.epochs_done + self.consumed / self.data.epoch_size)

    @property
    def end(self) -> Position:
        """Where the run ends as it is now planned."""
        if self.done:
            return self.position
        size, batch = self.data.epoch_size, self.config.batch_size
        left = -(-(size - self.consumed) // batch)
        whole = max(0, self.config.epochs - self.epochs_done - 1)
        return Position(self.step + left + whole * -(-size // batch), float(self.config.epochs))

    @property
    def rate(self) -> float:
        """The learning rate of the next update."""
        return schedules.rate(self.plan, self.position)

    # --- training ---

    def train_step(self) -> Step:
        """One update on the next batch. The last short batch of an epoch is kept."""
        first = self.consumed
        inputs, targets = self._next_batch()
        rate = self.rate
        optimizers.set_rate(self.optimizer, rate)
        self.guard.before()
        with self.autocast():
            outputs = self.model(inputs)
            loss = self.loss.train(outputs, targets, self.config.regularisation.label_smoothing)
        norm, withheld = self._nan, self.guard.admits(loss) is False
        if not withheld:
            norm, withheld = self._update(loss)
        self.step += 1
        self.consumed += len(inputs)
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
            random_state(self.device) if self.guard.looks_back else None,
        )

    def _update(self, loss: Tensor) -> tuple[Tensor, bool]:
        """Backward, clip, optimizer step. Returns the gradient norm before clipping, NaN if not measured, and
        whether the update was withheld because that norm was not finite."""
        regularisation = self.config.regularisation
        if regularisation.l1:
            loss = loss + regularisation.l1 * losses.l1_penalty(self.model.parameters())
        optimizers.drop_gradients(self.optimizer)
        if self._scaler.is_enabled():
            loss = self.guard.poisoned(loss)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        clip = regularisation.clip
        norm = self._nan
        if clip.value is not None or clip.norm is not None or self.config.evaluation.grad_norm:
            self._scaler.unscale_(self.optimizer)
            if clip.value is not None:
                nn.utils.clip_grad_value_(self.model.parameters(), clip.value)
            if clip.norm is not None or self.config.evaluation.grad_norm:
                norm = nn.utils.clip_grad_norm_(self.model.parameters(), clip.norm or float("inf"))
            if self.guards_norm and self.guard.admits(norm) is False:
                return norm, True
        self.guard.step(self.optimizer, self._scaler)
        return norm, False

    def autocast(self) -> AbstractContextManager[Any]:
        if self.config.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.config.precision))

    def _next_batch(self) -> Batch:
        if self._feed is None:
            order = self.data.order(self.config.seed, self.epoch)
            self._feed = self.data.train.batches(order, self.consumed, self.config.batch_size)
        inputs, targets = next(self._feed)
        return self._augmented(inputs, self.consumed), targets

    def _augmented(self, inputs: Tensor, first: int) -> Tensor:
        strength = self.config.regularisation.augment
        if not strength:
            return inputs
        if self._changes is None:
            self._changes = augment.draw(
                self.config.data.augment, self.data.epoch_size, self.config.seed, self.epoch
            )
        return augment.apply(inputs, self._changes[first : first + len(inputs)], strength)

    def refeed(self) -> None:
        """The next batch is drawn anew: position, batch size, epoch or augmentation changed."""
        self._feed = None
        self._changes = None

    def apply_dropout(self) -> None:
        models.set_dropout(self.model, self.config.regularisation.dropout, self._original_dropout)

    @property
    def dropout(self) -> float | None:
        """The largest rate of a dropout layer; None where the model has no such layer."""
        return max(models.dropouts(self.model).values(), default=None)

    @property
    def guards_norm(self) -> bool:
        """Whether a gradient norm that is not finite withholds the update: where it is measured, but for
        float16, whose scaler meets infinite ones in the normal course of things."""
        config = self.config
        measured = config.regularisation.clip.norm is not None or config.evaluation.grad_norm
        return measured and not self._scaler.is_enabled()

    # --- epochs ---

    def count(self, losses: Iterable[float], values: Iterable[float]) -> None:
        """Rows of this epoch were read back; those of a non-finite loss are left out of the epoch's mean."""
        loss_sum, value_sum, rows = self._epoch_sums
        for loss, value in zip(losses, values, strict=True):
            if isfinite(loss):
                loss_sum, value_sum, rows = loss_sum + loss, value_sum + value, rows + 1.0
        self._epoch_sums = [loss_sum, value_sum, rows]

    def epoch_means(self) -> dict[str, float]:
        """Loss and batch metric, each the mean over the batches of this epoch so far."""
        loss, metric, rows = self._epoch_sums
        name = "accuracy" if self.data.task == "classification" else "mae"
        return {"loss": loss / rows, name: metric / rows} if rows else {}

    def evaluate(self, source: Source, stop: Callable[[], bool] = lambda: False) -> metrics.Tally | None:
        """Metrics of `source` in evaluation mode, without gradients; None where `stop` broke it off."""
        tally = metrics.Tally(self.data.task, len(self.data.classes), self.target_scale, self.device)
        order = torch.arange(source.size)
        self.model.eval()
        try:
            with torch.no_grad():
                for inputs, targets in source.batches(order, 0, self.config.evaluation.batch_size):
                    if stop():
                        return None
                    with self.autocast():
                        outputs = self.model(inputs)
                        loss = self.loss.evaluate(outputs, targets)
                    tally.add(outputs.float(), targets, loss)
        finally:
            models.to_training_mode(self.model)
        return tally

    @property
    def target_scale(self) -> float:
        """What a difference of scaled targets is multiplied with to be in the target's own units."""
        factors = self.data.target_scaling.factor
        return 1.0 / factors[0] if factors else 1.0

    def close_epoch(self, train: dict[str, float], val: dict[str, float] | None) -> bool:
        """Count the epoch; best, plateau and patience look at `val`, at `train` where there is none.

        Returns whether this epoch is the best so far.
        """
        seen = val or train
        self.epochs_done += 1
        self.consumed = 0
        self._epoch_sums = [0.0, 0.0, 0.0]
        self.refeed()
        improved = self._note_best(seen)
        plateau = getattr(self.config.schedule, "metric", None) or self.metric
        if plateau in seen:
            self.plan = schedules.observe(
                self.plan, seen[plateau], self.position, maximise=metrics.maximised(plateau)
            )
        self.patience = self.patience.observed(seen, self.config.early_stopping)
        return improved

    def _note_best(self, seen: dict[str, float]) -> bool:
        value = seen.get(self.metric, float("nan"))
        if value != value or (self.best is not None and not self._better(value, self.best.value)):
            return False
        self.best = Best(epoch=self.epochs_done, step=self.step, metric=self.metric, value=value)
        return True

    def _better(self, value: float, than: float) -> bool:
        return value > than if metrics.maximised(self.metric) else value < than

    def keep_best(self, more: State, into: State | None) -> None:
        """Copy the state as it is now, and `more` with it, as that of the best epoch; reuses `into`."""
        self.best_state = copy_state({**self.state_dict(), **more}, into)

    def restore_best_weights(self) -> None:
        """The weights of the best epoch; optimizer and counters stay where the run ended."""
        if self.best_state is not None:
            self.model.load_state_dict(self.best_state["model"])

    # --- trouble ---

    def diagnose(self, step: Step) -> Trouble:
        """What was not finite in `step`: its batch is drawn again and followed through the layers."""
        order = self.data.order(self.config.seed, step.epoch)
        size = step.last_sample - step.first_sample
        inputs, targets = next(self.data.train.batches(order, step.first_sample, size))
        inputs = self._augmented(inputs, step.first_sample)
        with self.autocast():
            layer = first_nonfinite(
                self.model, inputs, lambda outputs: self.loss.train(outputs, targets, 0.0)
            )
        samples = order[step.first_sample : step.last_sample].tolist()
        return Trouble(step=step.number, samples=tuple(samples), layer=layer)

    def return_to(self, step: Step) -> None:
        """Go back to the boundary after `step`; the updates since were all withheld, so the weights stand."""
        self.step, self.consumed = step.number, step.last_sample
        if step.random is not None:
            set_random_state(step.random, self.device)
        self.guard.clear()
        self.refeed()

    # --- state ---

    def fresh(self) -> "Trainer":
        """Another trainer as this one was at step 0."""
        return Trainer(self._first_config, self.data, self.device, self._initial)

    def state_dict(self) -> State:
        """Everything that the rest of the run depends on; tensors are the live ones, not copies."""
        return {
            "format": FORMAT,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "plan": msgspec.to_builtins(self.plan),
            "position": {"step": self.step, "epoch": self.epochs_done, "consumed": self.consumed},
            "epoch_sums": list(self._epoch_sums),
            "best": msgspec.to_builtins(self.best),
            "patience": msgspec.to_builtins(self.patience),
            "random": random_state(self.device),
            "lineage": [[step, command] for step, command, _ in self.lineage],
            "lineage_ids": [name for *_, name in self.lineage],
            "config": plain(self.config),
            "classes": list(self.data.classes),
            "scaling": msgspec.to_builtins(self.data.scaling),
            "target_scaling": msgspec.to_builtins(self.data.target_scaling),
        }

    def load_state_dict(self, state: State) -> None:
        """Bring back all of `state_dict()`; the data stays as it is."""
        config = decode(state["config"])
        if config.optimizer != self.config.optimizer:
            self.config = msgspec.structs.replace(self.config, optimizer=config.optimizer)
            self.optimizer = self._build_optimizer()
        self.config = config
        self.model.load_state_dict(state["model"])
        # Copied: load_state_dict keeps the very tensors it is given, and the next step would change them.
        self.optimizer.load_state_dict(copy_state(state["optimizer"]))
        self._scaler.load_state_dict(state["scaler"])
        self.plan = msgspec.convert(state["plan"], Plan)
        position = state["position"]
        self.step, self.epochs_done, self.consumed = position["step"], position["epoch"], position["consumed"]
        self._epoch_sums = list(state["epoch_sums"])
        self.best = msgspec.convert(state["best"], Best | None)
        self.patience = msgspec.convert(state["patience"], Patience)
        self.lineage = entries(state)
        set_random_state(state["random"], self.device)
        self.guard.clear()
        self.apply_dropout()
        self.refeed()

    def weights_sha256(self) -> str:
        return weights_sha256(self.model.state_dict())
