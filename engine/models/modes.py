"""Training and evaluation mode, by the model's own train() and eval(): many published ones override them."""

from torch import nn

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import blame
from trainconsole.engine.tensors.torch_internals import BATCH_NORMS


def to_training_mode(model: nn.Module) -> None:
    """model.train(); frozen batch norms stay as in evaluation: their statistics belong to frozen weights.

    What the model's own train() leaves in evaluation mode stays so. Raises UserError where it fails.
    """
    _switch(model, training=True)
    for module in model.modules():
        if isinstance(module, BATCH_NORMS):
            own = list(module.parameters())
            if own and not any(parameter.requires_grad for parameter in own):
                module.eval()


def to_evaluation_mode(model: nn.Module) -> None:
    """model.eval(). Raises UserError where it fails."""
    _switch(model, training=False)


def _switch(model: nn.Module, *, training: bool) -> None:
    try:
        if training:
            model.train()
        else:
            model.eval()
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"model: {type(model).__name__}.train() failed: {blame(error)}\n"
            "PyTorch calls train(mode) to switch between training and evaluation; a method that does"
            " something else needs another name."
        ) from error
