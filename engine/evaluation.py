"""Test metrics of weights that a run saved. Nothing is written, no lock is taken."""

from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from trainconsole.engine import checkpoint, record, session
from trainconsole.engine.checkpoint import State
from trainconsole.engine.errors import UserError
from trainconsole.engine.launch import Launch
from trainconsole.engine.sources import Source
from trainconsole.engine.trainer import Trainer


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
    state = checkpoint.load(file)
    trainer = _trainer(launch)
    _take_weights(trainer, state, file)
    part, source = _part(trainer)
    tally = trainer.evaluate(source)
    assert tally is not None
    return Evaluation(
        run=launch.path.name,
        checkpoint=f"checkpoints/{file.name}",
        step=state["position"]["step"],
        epoch=state["position"]["epoch"],
        weights_sha256=trainer.weights_sha256(),
        part=part,
        rows=source.size,
        metrics=tally.result(),
        confusion=tally.confusion(),
        classes=trainer.data.classes,
        note=trainer.data.note,
        warning=_changed(launch.path, trainer),
    )


def find(run: Path, name: str | None) -> Path:
    """The file of the checkpoint `name`, what links to it resolved. Raises UserError."""
    there = {path.stem: path for path in sorted((run / "checkpoints").glob("[!.]*.pt"))}
    for stem in ("best", "last") if name is None else (name.removesuffix(".pt"),):
        if stem in there:
            return there[stem].resolve()
    if not there:
        raise UserError(f"{run}: no checkpoint was saved yet, so there is nothing to evaluate")
    named = [stem for stem, path in there.items() if path.is_symlink()] or list(there)
    raise UserError(f"{run}: no checkpoint '{name or 'last'}'; there are: {', '.join(named)}")


def _trainer(launch: Launch) -> Trainer:
    """As the run was set up, but for the weights that it began with: their run may be gone."""
    config = replace(launch.config, model=replace(launch.config.model, init_from=None))
    return session.set_up(replace(launch, config=config), lambda stage: None)


def _take_weights(trainer: Trainer, state: State, file: Path) -> None:
    try:
        trainer.model.load_state_dict(state["model"])
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
    meta = record.read_meta(run)
    if not meta or meta["data"]["fingerprint"] == trainer.data.fingerprint:
        return ""
    return "the data is not what it was when the run trained"
