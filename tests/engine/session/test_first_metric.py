"""A first validation that is not finite: no best, in memory or in the record, and the run goes on."""

import json
import math
from pathlib import Path

import pytest
from support.resuming import go_on, live, repeated, start
from support.running import Ran, run

from trainconsole.engine.protocol.commands import Interrupt
from trainconsole.engine.protocol.events import Unread
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs.replay import recipe
from trainconsole.engine.training.metrics import Tally


@pytest.fixture(params=[math.inf, -math.inf, math.nan])
def first(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """The first validation of each trainer comes to this loss."""
    real, calls = Tally.result, []

    def result(self: Tally) -> dict[str, float]:
        found = real(self)
        calls.append(found)
        return found | {"loss": request.param} if len(calls) == 1 else found

    monkeypatch.setattr(Tally, "result", result)
    return float(request.param)


def finite(ran: Ran) -> None:
    events = run_directory.read_events(ran.path)[0]
    assert not [event for event in events if isinstance(event, Unread)]
    first, second = [json.loads(line) for line in _lines(ran.path) if b'{"type":"epoch"' in line][:2]
    assert first["val"]["loss"] is None
    assert first["best"] is None
    assert second["best"]["epoch"] == 2


def test_a_run_goes_on_to_its_end(first: float, tmp_path: Path) -> None:
    ran = run(tmp_path, "iris", "evaluation.metric=loss")
    finite(ran)
    assert ran.last["type"] == "finished"
    assert ran.last["best"]["epoch"] > 1
    assert recipe(ran.path).weights_sha256 == ran.last["weights_sha256"]


def test_a_run_that_was_cut_off_goes_on(first: float, tmp_path: Path) -> None:
    launch = start(tmp_path, "iris", "evaluation.metric=loss")
    ran = live(launch, after={7: ["checkpoint"], 9: [Interrupt(signal="SIGTERM")]})
    again = live(go_on(ran))
    finite(again)
    assert again.last["type"] == "finished"
    weights = again.last["weights_sha256"]
    assert repeated(again, tmp_path / "again").last["weights_sha256"] == weights


def _lines(path: Path) -> list[bytes]:
    return (path / "events.jsonl").read_bytes().splitlines()
