"""A run in MLflow, in the experiment of $MLFLOW_EXPERIMENT_NAME, else "trainconsole". No torch.

What is there is asked of MLflow itself: a curve is appended to in the order of its steps, so its newest step
says how far it came.
"""

import logging
import os
import re
from typing import Any

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.mirror.facts import Facts
from trainconsole.engine.mirror.tools.by_step import ByStep, Chapter, told
from trainconsole.engine.mirror.tools.lock import Lock

ID = "trainconsole.id"
ENDED = "trainconsole.ended"
COMMAND = "command."
MOST = 1000
"""Metrics of one call, and PARAMETERS of one: MLflow's own limits."""
PARAMETERS = 100
LONGEST = 500
"""Characters of a parameter that every store takes."""


def opened(uri: str, about: Facts) -> ByStep:
    """Raises UserError where mlflow is missing, or its store cannot be reached."""
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise UserError(
            "--to mlflow needs the mlflow package, which is not installed\npip install 'trainconsole[mlflow]'"
        ) from None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with told(MlflowException):
        client = mlflow.MlflowClient(tracking_uri=uri or None)
    lock = Lock(about.run, f"mlflow:{uri}")
    return ByStep(about, lock, lambda chapter: MlflowBook(client, chapter), (MlflowException, OSError))


class MlflowBook:
    """Commands are tags, one each: MLflow has no text by step."""

    def __init__(self, client: Any, chapter: Chapter) -> None:
        self._client, self._chapter = client, chapter
        self._waiting: list[Any] = []
        self._ready = False
        self._run = self._found()
        self.known = self._newest()
        tags = self._run.data.tags if self._run is not None else {}
        self.said = sum(name.startswith(COMMAND) for name in tags)
        self.ended = int(tags.get(ENDED, 0))

    def key(self, name: str) -> str:
        """Letters, digits and a few signs, and no path that leads elsewhere."""
        parts = re.sub(r"[^\w/. :-]", "_", name).split("/")
        return "/".join(part for part in parts if part not in ("", ".", ".."))[:250] or "number"

    def log(self, step: int, time: float, values: dict[str, float]) -> None:
        from mlflow.entities import Metric

        at = round(time * 1000)
        self._waiting += [Metric(name, value, at, step) for name, value in values.items()]
        if len(self._waiting) >= MOST:
            self.flush()

    def say(self, number: int, step: int, time: float, line: str) -> None:
        self.flush()
        self._client.set_tag(self._id(), f"{COMMAND}{number:06d}", line)

    def end(self, number: int, step: int, time: float, result: dict[str, str]) -> None:
        self.flush()
        for name, value in {**result, ENDED: str(number)}.items():
            self._client.set_tag(self._id(), name, value)
        word = result["reason"].partition(":")[0]
        status = {"failed": "FAILED", "interrupted": "KILLED", "left": "KILLED"}.get(word, "FINISHED")
        self._client.set_terminated(self._id(), status, round(time * 1000))

    def flush(self) -> None:
        while self._waiting:
            self._client.log_batch(self._id(), metrics=self._waiting[:MOST])
            del self._waiting[:MOST]

    def close(self) -> None:
        """Not with what was interrupted: a batch that came later would hide it."""

    def _id(self) -> str:
        """Of the run that is written to, made and described when it first is."""
        if self._run is None:
            self._run = self._made()
        run_id: str = self._run.info.run_id
        if not self._ready:
            self._describe(run_id)
            self._client.update_run(run_id, status="RUNNING")
            self._ready = True
        return run_id

    def _found(self) -> Any:
        experiment = self._client.get_experiment_by_name(_experiment())
        if experiment is None:
            return None
        wanted = f"tags.`{ID}` = '{self._chapter.id}'"
        found = self._client.search_runs([experiment.experiment_id], wanted, max_results=1)
        return found[0] if found else None

    def _newest(self) -> dict[str, int]:
        if self._run is None:
            return {}
        run_id = self._run.info.run_id
        histories = {name: self._client.get_metric_history(run_id, name) for name in self._run.data.metrics}
        return {
            name: max(metric.step for metric in history) for name, history in histories.items() if history
        }

    def _made(self) -> Any:
        chapter, client = self._chapter, self._client
        experiment = client.get_experiment_by_name(_experiment())
        where = experiment.experiment_id if experiment else client.create_experiment(_experiment())
        tags = {ID: chapter.id, "trainconsole.run": chapter.group}
        return client.create_run(where, round(chapter.began * 1000), tags, chapter.name)

    def _describe(self, run_id: str) -> None:
        """The config, as far as it is not there."""
        from mlflow.entities import Param

        known = self._run.data.params
        config = {self.key(name): str(value)[:LONGEST] for name, value in self._chapter.config.items()}
        missing = [Param(name, value) for name, value in config.items() if name not in known]
        for at in range(0, len(missing), PARAMETERS):
            self._client.log_batch(run_id, params=missing[at : at + PARAMETERS])


def _experiment() -> str:
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or "trainconsole"
