"""What an update leaves behind, until it is read back."""

from typing import NamedTuple

from torch import Tensor

from trainconsole.engine.checkpoints.checkpoint import State


class Step(NamedTuple):
    """One update. The tensors stay on the device until they are read back in a block; loss and grad_norm are
    0-d, outputs and targets the batch's; `logged` is what else the user's own loss gave, 0-d."""

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
    logged: dict[str, Tensor]

    @property
    def nbytes(self) -> int:
        """Of what it keeps on the device."""
        return self.outputs.nbytes + self.targets.nbytes
