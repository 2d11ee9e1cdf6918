"""Where a run stood that nobody trains any more, as its host would have said it: from its record alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainconsole.engine.config.knobs import KNOBS, configured
from trainconsole.engine.config.run import RunConfig, batches
from trainconsole.engine.protocol.grammar import spell
from trainconsole.engine.protocol.status import InForce, Status
from trainconsole.engine.record import run_directory
from trainconsole.tui.state.event_history import Story


def standing(run: Path, story: Story, last: Mapping[str, float] | None) -> Status:
    """The status at the end of the record; `last` is the last row in force. Raises UserError."""
    config, meta = run_directory.read_config(run), run_directory.read_meta(run)
    values: dict[str, Any] = dict(meta.in_force)
    if config.script is None:
        values = _configured(config)
        rows = meta.data.sizes.get("train", 0)
        values["steps"] = config.epochs * batches(rows, config.batch_size, drop_last=config.drop_last)
    for change in story.changes:
        values |= change.after
    step = int(last["step"]) if last is not None else 0
    epoch = int(last["epoch"]) if last is not None else 0
    epochs = int(values.get("epochs", config.epochs if config.script is None else epoch))
    return Status(
        pid=0,
        run=run.name,
        stage="finished",
        step=step,
        steps=max(step, int(values.get("steps", 0))),
        epoch=epoch,
        epochs=epochs,
        loss=last["loss"] if last is not None else None,
        metric=last["metric"] if last is not None else None,
        metric_name=meta.batch_metric if meta.begun else "",
        in_force=InForce.of(values | ({"lr": last["lr"]} if last is not None else {}), KNOBS),
    )


def _configured(config: RunConfig) -> dict[str, Any]:
    """What the config says of all that a command can change."""
    knobs = configured(config)
    own_dropout = getattr(config.model, "dropout", None)
    name, _, _ = spell(config.optimizer).partition(" ")
    return {
        "optimizer": name,
        "lr": config.optimizer.lr,
        "schedule": spell(config.schedule),
        "epochs": config.epochs,
        "batch_size": config.batch_size,
        **knobs,
        # Of a class of the user's own it is not on record before it is set.
        "weight_decay": knobs["weight_decay"] if knobs["weight_decay"] is not None else "its own",
        "dropout": knobs["dropout"] if knobs["dropout"] is not None else own_dropout,
    }
