"""Where a run stood that nobody trains any more, as its host would have said it: from its record alone."""

from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

from trainconsole.engine import record
from trainconsole.engine.config import RunConfig
from trainconsole.engine.grammar import spell
from trainconsole.engine.messages import Status
from trainconsole.tui.story import Story


def standing(run: Path, story: Story, last: Mapping[str, float] | None) -> Status:
    """The status at the end of the record; `last` is the last row in force. Raises UserError."""
    config, meta = record.read_config(run), record.read_meta(run)
    values = in_force(config)
    values["steps"] = config.epochs * ceil(meta["data"]["sizes"]["train"] / config.batch_size) if meta else 0
    for change in story.changes:
        values |= change.after
    step = int(last["step"]) if last is not None else 0
    epochs = int(values.get("epochs", config.epochs))
    return Status(
        pid=0,
        run=run.name,
        stage="finished",
        step=step,
        steps=max(step, int(values.get("steps", 0))),
        epoch=int(last["epoch"]) if last is not None else 0,
        epochs=epochs,
        loss=last["loss"] if last is not None else None,
        metric=last["metric"] if last is not None else None,
        metric_name=str(meta.get("batch_metric", "")),
        in_force=values | ({"lr": last["lr"]} if last is not None else {}),
    )


def in_force(config: RunConfig) -> dict[str, Any]:
    """What the config says of all that a command can change."""
    regularisation = config.regularisation
    own_dropout = getattr(config.model, "dropout", None)
    name, _, _ = spell(config.optimizer).partition(" ")
    return {
        "optimizer": name,
        "lr": config.optimizer.lr,
        "schedule": spell(config.schedule),
        "epochs": config.epochs,
        "batch_size": config.batch_size,
        "weight_decay": regularisation.weight_decay,
        "l1": regularisation.l1,
        "clip.norm": regularisation.clip.norm,
        "clip.value": regularisation.clip.value,
        "dropout": regularisation.dropout if regularisation.dropout is not None else own_dropout,
        "label_smoothing": regularisation.label_smoothing,
        "augment": regularisation.augment,
        "patience": config.early_stopping.patience,
    }
