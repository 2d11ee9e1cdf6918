"""What is in force in a trainer, read back from where it is: what a command can change."""

from trainconsole.engine.config.knobs import configured
from trainconsole.engine.optim import optimizers
from trainconsole.engine.protocol.grammar import spell
from trainconsole.engine.protocol.status import InForce
from trainconsole.engine.training.trainer import Trainer


def in_force(trainer: Trainer) -> InForce:
    """All of it, for the status."""
    config, parameters = trainer.config, optimizers.effective(trainer.optimizer)
    lr, decay = parameters.pop("lr"), parameters.pop("weight_decay")
    return InForce(
        optimizer=spell(config.optimizer).split()[0],
        parameters=parameters,
        lr=lr,
        schedule=spell(config.schedule),
        epochs=config.epochs,
        batch_size=config.batch_size,
        steps=trainer.end.step,
        knobs=_knobs(trainer, decay),
    )


def knobs(trainer: Trainer) -> dict[str, float | None]:
    """The values of the knobs, by name; None where one is off."""
    return _knobs(trainer, optimizers.effective(trainer.optimizer)["weight_decay"])


def _knobs(trainer: Trainer, decay: float) -> dict[str, float | None]:
    return {**configured(trainer.config), "weight_decay": decay, "dropout": trainer.dropout}
