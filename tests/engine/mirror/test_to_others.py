"""A mirror in MLflow, W&B (offline) and Trackio, read back from what they keep: each point once."""

import json
import math
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.growing import SHA, Growing, story, told
from support.mirroring import killed, mirrored
from support.process import trainconsole

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.mirror.tools.lock import Lock

Runs = dict[str, dict[str, list[tuple[int, Any]]]]
"""By name of a run there, and of a curve: (step, value), in order; NaN as None."""


def of_wandb(place: str) -> Runs:
    from trainconsole.engine.mirror.tools import wandb_log

    found: Runs = {}
    numbers: dict[str, list[int]] = {}
    for file in sorted(Path("wandb").glob("*run-*/run-*.wandb")):
        run = found.setdefault(file.parent.name.partition("-run-")[2].partition("-")[2], {})
        for row in wandb_log.rows(file):
            numbers.setdefault(file.name, []).append(row["_step"])
            for name, value in row.items():
                if name[0] != "_" and name != "step":
                    run.setdefault(name, []).append((row["step"], plain(value)))
    assert all(rows == sorted(set(rows)) for rows in numbers.values())
    return found


def of_mlflow(place: str) -> Runs:
    import mlflow

    client = mlflow.MlflowClient(place)
    experiment = client.get_experiment_by_name("trainconsole")
    assert experiment is not None
    found: Runs = {}
    for run in client.search_runs([experiment.experiment_id]):
        name = run.info.run_name
        assert name not in found
        history = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
        # In the order of their times, which mean little in a run that grows at a stroke.
        found[name] = {
            key: [(m.step, plain(m.value)) for m in sorted(metrics, key=lambda m: m.step)]
            for key, metrics in history.items()
        }
        tags = sorted(run.data.tags.items())
        found[name]["command"] = [(0, text) for tag, text in tags if tag.startswith("command.")]
        found[name]["reason"] = [(0, text) for tag, text in tags if tag == "reason"]
        assert run.data.params["optimizer.name"] == "adam"
    return found


def of_trackio(place: str) -> Runs:
    found: Runs = {}
    from trackio.sqlite_storage import SQLiteStorage

    with sqlite3.connect(SQLiteStorage.get_project_db_path(place)) as base:
        for name, step, metrics in base.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id"):
            for key, value in json.loads(metrics).items():
                found.setdefault(name, {}).setdefault(key, []).append((step, plain(value)))
    return found


def plain(value: Any) -> Any:
    return None if value == "NaN" or (isinstance(value, float) and math.isnan(value)) else value


READERS: dict[str, Callable[[str], Runs]] = {"wandb": of_wandb, "mlflow": of_mlflow, "trackio": of_trackio}


class Tool:
    """`place` is what stands after the colon of --to, `other` another one."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        bases = [f"sqlite:///{folder}/{name}.db" for name in ("mine", "other")]
        self.place, self.other = bases if kind == "mlflow" else (folder.name, f"{folder.name}-other")
        self.to = f"{kind}:{self.place}"

    def read(self) -> Runs:
        return READERS[self.kind](self.place)


@pytest.fixture(params=list(READERS))
def tool(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    name = str(request.param)
    pytest.importorskip(name, reason=f"{name} is not installed: make mirrors")
    monkeypatch.chdir(tmp_path)
    settings = {
        "WANDB_MODE": "offline",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "HF_HUB_OFFLINE": "1",
    }
    for key, value in settings.items():
        monkeypatch.setenv(key, value)
    # A process of W&B's that the test's own mirrors share is none for those that are killed.
    monkeypatch.delenv("WANDB_SERVICE", raising=False)
    return Tool(name, tmp_path)


def steps(run: dict[str, list[tuple[int, Any]]], name: str) -> list[int]:
    return [step for step, _ in run[name]]


def test_each_stretch_is_a_run_with_each_point_once(tool: Tool, tmp_path: Path) -> None:
    run = Growing(tmp_path)
    run.begin()
    run.train(50)
    run.number("my/number", 4.0)
    run.command("lr x2", "half of it")
    run.command("lr x2")
    run.epoch(1)
    run.back(20)
    run.train(10)
    run.back(30, why="resume")
    run.train(5)
    run.finish()
    for _ in range(2):
        assert mirrored(run.path, tool.to, follows=True).ending == "completed"
    found = tool.read()
    assert len(found) == 2
    first, second = (
        found.values() if len(next(iter(found.values()))["loss"]) == 50 else [*found.values()][::-1]
    )
    assert steps(first, "loss") == list(range(1, 51))
    assert [value for _, value in first["loss"]][5:8] == [6.0, None, 8.0]
    assert steps(first, "grad_norm") == [step for step in range(1, 51) if step % 3 == 0]
    assert first["my/number"] == [(50, 4.0)]
    assert first["val/loss"] == [(50, 5.0)]
    assert [text for _, text in first["command"]] == ["step 50: lr x2  (half of it)", "step 50: lr x2"]
    assert steps(second, "loss") == list(range(21, 36))
    assert second["test/loss"] == [(35, 0.25)]
    assert [text for _, text in second["reason"]] == ["completed"]
    assert [text for _, text in first["reason"]] == ["left: branch 1 goes on from step 20"]


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_repeated_and_nothing_missing(tool: Tool, tmp_path: Path) -> None:
    run = Growing(tmp_path)
    parts = story(run)
    next(parts)()
    least = {"mlflow": 4.0, "wandb": 2.5, "trackio": 1.5}[tool.kind]
    assert killed(["mirror", str(run.path), "--to", tool.to], parts, tmp_path, least=least) >= 6
    ended = trainconsole("mirror", str(run.path), "--to", tool.to, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{run.path.name}: mirrored to {tool.to}: {run.step} steps, completed\n"
    found = tool.read()
    if tool.kind == "wandb":
        (tmp_path / "wandb").rename(tmp_path / "first")
    mirrored(run.path, f"{tool.kind}:{tool.other}")
    assert found == READERS[tool.kind](tool.other)


def test_hostile_names_and_values_are_taken(tool: Tool, tmp_path: Path) -> None:
    run = Growing(tmp_path, metric="acc\x1b]0;x\x07")
    run.begin()
    run.train(2)
    for name in ("../../etc/\x1b[31m", "a b:c%=,\"'\u202e", "step", "time", "_step", ""):
        run.number(name, math.inf)
    run.command("set \x1b[2J 1", "note \u202e\nmore" + "x" * 9000)
    for _ in range(2):
        mirrored(run.path, tool.to)
    (found,) = tool.read().values()
    assert len([points for points in found.values() if len(points) == 1]) >= 5
    assert len(found["loss"]) == 2
    assert "\x1b" not in str(found)
    assert not (tmp_path.parent / "etc").exists()


def test_a_second_mirror_at_once_is_refused(tool: Tool, tmp_path: Path) -> None:
    run = told(tmp_path).path
    held = Lock(run, tool.to)
    with pytest.raises(UserError, match="another mirror of"):
        mirrored(run, tool.to)
    held.release()
    mirrored(run, tool.to)
    assert SHA in str(tool.read()) or tool.kind == "mlflow"


@pytest.mark.parametrize("name", list(READERS))
def test_what_is_not_installed_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(UserError, match=rf"pip install 'trainconsole\[{name}\]'") as missing:
        mirrored(told(tmp_path).path, name)
    assert len(str(missing.value).splitlines()) == 2
