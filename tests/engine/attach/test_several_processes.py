"""One of several processes that train one model is not steered alone: it would part from the others."""

from pathlib import Path
from typing import Any

import pytest
from support.own_loops import setting

import trainconsole
from trainconsole.engine.attach.run import Off
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.grammar import parse
from trainconsole.engine.reporting.refusals import Refused
from trainconsole.engine.unchanged.boundary import WatchedBoundary


@pytest.mark.parametrize(("rank", "said"), [("0", 1), ("1", 0)])
def test_attach_says_so_once_and_trains_as_without(
    rank: str, said: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", rank)
    it = setting()
    run = trainconsole.attach(model=it.model, optimizer=it.optimizer, runs_dir=tmp_path)
    assert isinstance(run, Off)
    assert capsys.readouterr().err.count("several processes") == said
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("text", ["lr x2", "set clip.norm 1", "optimizer sgd", "schedule constant", "stop"])
def test_from_outside_nothing_of_it_is_changed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    watched: Any = object.__new__(WatchedBoundary)
    with pytest.raises(Refused, match="several processes"):
        watched._obey(parse(text), Request(id="1", origin="test", command=text))
