"""An update that was not finite and was withheld: which samples and which layer."""

from collections.abc import Iterable

from trainconsole.engine.checkpoints.schema import Led
from trainconsole.engine.data.nonfinite_inputs import not_finite
from trainconsole.engine.models.diagnosis import first_nonfinite
from trainconsole.engine.models.inspection import undisturbed
from trainconsole.engine.protocol.events import Entry, Trouble
from trainconsole.engine.training.step import Step
from trainconsole.engine.training.trainer import Trainer


def diagnose(trainer: Trainer, step: Step) -> Trouble:
    """What was not finite in `step`: its batch is drawn again and followed through the layers."""
    order = trainer.data.order(trainer.config.seed, step.epoch)
    inputs, targets = trainer.batch_again(order, step)
    samples = trainer.data.called(order, step.first_sample, step.last_sample)
    for name, values in (("inputs", inputs), ("targets", targets)):
        if bad := set(not_finite(values)):
            samples = tuple(sample for place, sample in enumerate(samples) if place in bad)
            return Trouble(step=step.number, samples=samples, layer=name)
    with undisturbed(trainer.whole), trainer.autocast():
        layer = first_nonfinite(
            trainer.model, inputs, lambda outputs: trainer.loss.train(outputs, targets, 0.0)
        )
    return Trouble(step=step.number, samples=samples, layer=layer)


def passed(state: Led, pending: Iterable[Entry], name: str) -> list[Entry]:
    """`pending`, and where `state` stands at a withheld update that nothing lets the run go on past, that it
    was resumed: as a `resume` of id `name`, at that step."""
    held, step = state.get("withheld"), state["position"]["step"]
    early = [entry for entry in pending if entry[0] <= step]
    late = [entry for entry in pending if entry[0] > step]
    if held is None or any(text == "resume" for _, text, _ in early):
        return [*early, *late]
    return [*early, (step, "resume", name), *late]
