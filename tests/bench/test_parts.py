"""The bench is not run by the tests, but what it names is there, without the libraries that it measures."""

import importlib

import pytest

from bench.__main__ import PARTS, UNTIMED, grouped


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_there(part: str) -> None:
    module, _, function = PARTS[part].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_only_what_times_nothing_runs_side_by_side() -> None:
    groups = grouped([*PARTS])
    assert [group for group in groups if len(group) > 1] == [[*UNTIMED]]
    assert sorted(part for group in groups for part in group) == sorted(PARTS)
    assert grouped(["mlp", "memory"]) == [["mlp"], ["memory"]]
