"""A loss over validation or test data that is no finite number: said once for each part, with the reason."""

import math
from collections.abc import Mapping

from trainconsole.engine.data import nonfinite_inputs
from trainconsole.engine.protocol import events
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.training.trainer import Trainer

NAMES = {"val": "validation", "test": "test"}


def tell(trainer: Trainer, report: Reporter, part: str, measured: Mapping[str, float]) -> None:
    """Warn where the loss in `measured`, of `part` (val or test), is not finite. The caller has read back."""
    why = reason(trainer, part, measured)
    if why and part not in report.unmeasured:
        report.unmeasured.add(part)
        report.emit(events.Warned, why=why, kind="unmeasured")


def reason(trainer: Trainer, part: str, measured: Mapping[str, float]) -> str:
    """Why the loss is not finite; "" where it is. Reads the part once more."""
    source = getattr(trainer.data, part)
    if source is None or math.isfinite(measured["loss"]):
        return ""
    found = nonfinite_inputs.unmeasured(source, trainer.data.numbers[part], NAMES[part])
    return f"the {NAMES[part]} loss is not a finite number: {found}"
