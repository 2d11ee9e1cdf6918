"""The part of a training state that says where the run stands, and bringing it back."""

from typing import NamedTuple

import msgspec

from trainconsole.engine.checkpoints.parts import entries, known_best
from trainconsole.engine.checkpoints.schema import PlaceState
from trainconsole.engine.config.parsing import plain
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.protocol.events import Best, Entry, Trouble
from trainconsole.engine.schedule.early_stopping import Patience
from trainconsole.engine.schedule.rate_plan import Plan
from trainconsole.engine.training import watched_metric
from trainconsole.engine.training.position import Place


def state_of(place: Place) -> PlaceState:
    """Numbers, strings, lists and dicts only."""
    return {
        "plan": msgspec.to_builtins(place.plan),
        "position": {"step": place.step, "epoch": place.epochs_done, "consumed": place.consumed},
        "best": msgspec.to_builtins(place.best),
        "patience": msgspec.to_builtins(place.patience),
        "withheld": msgspec.to_builtins(place.withheld),
        "lineage": [(step, command) for step, command, _ in place.lineage],
        "lineage_ids": [name for *_, name in place.lineage],
        "config": plain(place.config),
    }


class Read(NamedTuple):
    """What `state_of` gave, but for the config; the names are a Place's."""

    step: int
    epochs_done: int
    consumed: int
    plan: Plan
    best: Best | None
    patience: Patience
    withheld: Trouble | None
    lineage: list[Entry]


def read(state: PlaceState, config: RunConfig) -> Read:
    """The place in `state`, where `config` is in force. Raises as msgspec.convert where it is none."""
    position = state["position"]
    return Read(
        step=position["step"],
        epochs_done=position["epoch"],
        consumed=position["consumed"],
        plan=msgspec.convert(state["plan"], Plan),
        best=known_best(state),
        patience=_patience(state, config),
        withheld=msgspec.convert(state.get("withheld"), Trouble | None),
        lineage=entries(state),
    )


def bring_back(place: Place, found: Read) -> None:
    """Stand where `found` is."""
    for name, value in found._asdict().items():
        setattr(place, name, value)


def _patience(state: PlaceState, config: RunConfig) -> Patience:
    """An older version watched another metric where none was given: counted anew."""
    known, metric = msgspec.convert(state["patience"], Patience), watched_metric.of_patience(config)
    return known if known.metric == metric else Patience(metric=metric)
