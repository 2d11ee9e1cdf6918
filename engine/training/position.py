"""Where a run stands between step 0 and its end, as it is now planned. No weights."""

from trainconsole.engine.config.run import RunConfig, batches
from trainconsole.engine.config.tasks import maximised
from trainconsole.engine.data.load import Data
from trainconsole.engine.protocol.events import Best, Entry, Trouble
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.early_stopping import Patience
from trainconsole.engine.schedule.rate_plan import Plan, Position
from trainconsole.engine.training import watched_metric


class Place:
    """Counters and what was decided on the way: `consumed` rows of the epoch were trained on, `withheld` is
    the update that a run does not go on past, `lineage` the commands that led here."""

    config: RunConfig
    data: Data
    plan: Plan
    patience: Patience

    def __init__(self) -> None:
        self.step = self.epochs_done = self.consumed = 0
        self.lineage: list[Entry] = []
        self.best: Best | None = None
        self.withheld: Trouble | None = None

    @property
    def epoch(self) -> int:
        """The epoch of the next update, from 1."""
        return self.epochs_done + 1

    @property
    def starts_epoch(self) -> bool:
        return self.consumed == 0

    @property
    def epoch_complete(self) -> bool:
        """All samples are consumed, or dropped, and the epoch is still to be closed."""
        left = self.data.epoch_size - self.consumed
        return left < (self.config.batch_size if self.config.drop_last else 1)

    @property
    def done(self) -> bool:
        return self.epochs_done >= self.config.epochs

    @property
    def metric(self) -> str:
        """What decides which epoch is best."""
        return watched_metric.of_best(self.config, self.data.task)

    @property
    def out_of_patience(self) -> bool:
        """Early stopping ends the run here, between two epochs."""
        return self.starts_epoch and self.patience.left(self.config.early_stopping) == 0

    @property
    def position(self) -> Position:
        return Position(self.step, self.epochs_done + self.consumed / self.data.epoch_size)

    @property
    def end(self) -> Position:
        """Where the run ends as it is now planned."""
        if self.done:
            return self.position
        size, batch, drop_last = self.data.epoch_size, self.config.batch_size, self.config.drop_last
        left = batches(size - self.consumed, batch, drop_last=drop_last)
        whole = max(0, self.config.epochs - self.epochs_done - 1)
        steps = self.step + left + whole * batches(size, batch, drop_last=drop_last)
        return Position(steps, float(self.config.epochs))

    @property
    def rate(self) -> float:
        """The learning rate of the next update."""
        return rate_plan.rate(self.plan, self.position)

    @property
    def target_scale(self) -> float:
        """What a difference of scaled targets is multiplied with to be in the target's own units."""
        factors = self.data.target_scaling.factor
        return 1.0 / factors[0] if factors else 1.0

    def judge(self, seen: dict[str, float]) -> bool:
        """What an epoch that came to `seen` means for best, plateau and patience; whether it is the best."""
        improved = watched_metric.better(self.best, self.metric, seen)
        if improved:
            value = seen[self.metric]
            self.best = Best(epoch=self.epochs_done, step=self.step, metric=self.metric, value=value)
        plateau = watched_metric.of_plateau(self.config.schedule, self.config)
        if plateau in seen:
            self.plan = rate_plan.observe(
                self.plan, seen[plateau], self.position, maximise=maximised(plateau)
            )
        self.patience = self.patience.observed(seen, self.config.early_stopping)
        return improved
