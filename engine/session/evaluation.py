"""Test metrics of weights that a run saved. Nothing is written, no lock is taken."""

from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from trainconsole.engine.checkpoints import schema
from trainconsole.engine.checkpoints.schema import Weights
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data.loading.batches import Source
from trainconsole.engine.record import checkpoint_names, run_directory
from trainconsole.engine.runs import fingerprints
from trainconsole.engine.runs.launch import Launch
from trainconsole.engine.runs.source_run import WEIGHTS
from trainconsole.engine.session import setup
from trainconsole.engine.session.nonfinite_evaluation import reason
from trainconsole.engine.training.trainer import Trainer


class Evaluation(Struct, frozen=True, kw_only=True):
    """What the weights in `checkpoint` (below the run) of `step` come to on the `rows` rows of `part`.

    `metrics`, `confusion` and `classes` are those of the `finished` event; `warning` is "" or what is not as
    it was when the run trained.
    """

    run: str
    checkpoint: str
    step: int
    epoch: int
    weights_sha256: str
    part: Literal["test", "validation"]
    rows: int
    metrics: dict[str, float]
    confusion: list[list[int]] | None
    classes: tuple[str, ...]
    note: str
    warning: str = ""


def evaluate(launch: Launch, name: str | None = None) -> Evaluation:
    """Measure the checkpoint `name` of the run at launch.path: None takes best where there is one, else last.

    On the test data, or where there is none the validation data. Raises UserError where the checkpoint is
    missing or damaged, where there is no data to measure on, and where the model is not what it was.
    """
    file = find(launch.path, name)
    state = schema.load(file)
    trainer = _trainer(launch)
    _take_weights(trainer, state, file)
    part, source = _part(trainer)
    tally = trainer.evaluate(source)
    assert tally is not None
    measured = tally.result()
    told = (_changed(launch.path, trainer), reason(trainer, "test" if part == "test" else "val", measured))
    return Evaluation(
        run=launch.path.name,
        checkpoint=f"checkpoints/{file.name}",
        step=state["position"]["step"],
        epoch=state["position"]["epoch"],
        weights_sha256=trainer.weights_sha256(),
        part=part,
        rows=source.size,
        metrics=measured,
        confusion=tally.confusion(),
        classes=trainer.data.classes,
        note=trainer.data.note,
        warning="; ".join(filter(None, told)),
    )


def find(run: Path, name: str | None) -> Path:
    """The file of the checkpoint `name`. Raises UserError."""
    try:
        return checkpoint_names.find(run, *(("best", "last") if name is None else (name,)))
    except UserError as error:
        raise UserError(f"{run}: {error}") from None


def _trainer(launch: Launch) -> Trainer:
    """As the run was set up, but for the weights that it began with: their run may be gone. They count only
    where rows that they were trained on were left out."""
    config = launch.config
    if config.data.split.on_seen != "drop" or not (launch.path / WEIGHTS).exists():
        config = replace(config, model=replace(config.model, init_from=None))
    return setup.set_up(replace(launch, config=config), lambda stage: None, trains=False)


def _take_weights(trainer: Trainer, state: Weights, file: Path) -> None:
    try:
        trainer.load_weights(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise UserError(
            f"{file}: these weights do not fit the model of config.toml: {reason}\n"
            "Has the code of the model, or the data, changed since?"
        ) from None


def _part(trainer: Trainer) -> tuple[Literal["test", "validation"], Source]:
    if trainer.data.test is not None:
        return "test", trainer.data.test
    if trainer.data.val is not None:
        return "validation", trainer.data.val
    raise UserError("the data of this run has neither a test nor a validation part to evaluate on")


def _changed(run: Path, trainer: Trainer) -> str:
    meta = run_directory.read_meta(run)
    data = fingerprints.changed(meta.data.prints, trainer.data.prints) if meta.begun else ""
    return f"{data} is not what it was when the run trained" if data else ""
