"""trainconsole: a terminal training console for PyTorch. `attach` opens it on a loop of your own."""

from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainconsole import integrations
    from trainconsole.engine.attach.run import Off, Run

__all__ = ["attach", "integrations"]


def __getattr__(name: str) -> Any:
    if name == "integrations":
        from importlib import import_module

        return import_module("trainconsole.integrations")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def attach(
    *,
    name: str = "",
    runs_dir: "str | PathLike[str]" = "runs",
    seed: int | None = None,
    grad_norm: bool = False,
    verify: int = 0,
    **objects: Any,
) -> "Run | Off":
    """Watch and steer the loop of this script, record it, and go back in it.

    `objects` is all that training changes, each by a name of its own: model=, optimizer=, scheduler=, and
    scaler=, ema= or whatever else has state_dict() and load_state_dict(); a list is numbered. They stay what
    they are: nothing is wrapped or replaced. `name` is added to the name of the run directory in `runs_dir`.
    With `seed` the generators of torch, NumPy and Python are set, and the order of batches depends on it.
    `grad_norm` records the gradient norm of each update. With `verify=20` nothing is trained: the script is
    started again to measure whether undo and resume are exact over so many updates, and ends with what came
    of it.

    With TRAINCONSOLE=off in the environment nothing happens. Raises UserError, one to three lines of
    text, where something given has no state, or the run cannot be recorded.
    """
    from trainconsole.engine.attach.attach import attach

    return attach(name=name, runs_dir=runs_dir, seed=seed, grad_norm=grad_norm, verify=verify, **objects)
