"""The batches of a run: in the order of the epoch, from any sample on, images changed as asked."""

from collections.abc import Iterator

from torch import Tensor

from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.data import augment
from trainconsole.engine.data.load import Data
from trainconsole.engine.data.loading.collate import Batch


class Feed:
    """Used by the training thread."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._batches: Iterator[Batch] | None = None
        self._changes: Tensor | None = None

    def stop(self) -> None:
        """Position, batch size, epoch or augmentation changed: the next batch is drawn anew."""
        self._batches = self._changes = None

    def next(self, config: RunConfig, epoch: int, first: int) -> Batch:
        """The batch of `epoch` from its sample number `first` on, which follows the one before."""
        if self._batches is None:
            order = self._data.order(config.seed, epoch)
            self._batches = self._data.train.batches(order, first, config.batch_size)
        inputs, targets = next(self._batches)
        return self._augmented(inputs, config, epoch, first), targets

    def again(self, order: Tensor, config: RunConfig, epoch: int, first: int, last: int) -> Batch:
        """The batch of the samples `first` to `last` of `order` once more."""
        inputs, targets = next(self._data.train.batches(order, first, last - first))
        return self._augmented(inputs, config, epoch, first), targets

    def _augmented(self, inputs: Tensor, config: RunConfig, epoch: int, first: int) -> Tensor:
        strength, changes = config.regularisation.augment, config.data.augment
        if not strength:
            return inputs
        if self._changes is None:
            self._changes = augment.draw(changes, self._data.epoch_size, config.seed, epoch)
        rows = self._changes[first : first + len(inputs)]
        return augment.apply(inputs, rows, strength, changes, self._data.black if changes.crop else None)
