"""What is repeated, and what is said where it comes out otherwise."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.resuming import go_on, live, repeated, start
from support.running import Ran, config, run, run_config

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.commands import Interrupt
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.engine.runs import replay
from trainconsole.engine.runs.replay import compare, parting, recipe

EIGHT = {
    2: ["lr x2"],
    4: ["set dropout 0.1"],
    6: ["batch 8"],
    9: ["undo"],
    10: ["schedule cosine"],
    11: ["optimizer adamw", "set clip.norm 1"],
    13: ["set l1 0.001"],
    14: ["lr x5", "undo"],
    15: ["set patience 9"],
    17: ["epochs 5"],
    19: ["checkpoint mine", "rewind step 12"],
    16: ["set label_smoothing 0.1"],
    26: ["stop best"],
}


@pytest.fixture(scope="module")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("steered"), "iris", "model.dropout=0.3", after=EIGHT)


def verdict(original: Path, again: Ran) -> tuple[bool, str]:
    return compare(original, again.path, recipe(original))


def altered(ran: Ran, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of the run with `change` done to its `finished` event."""
    shutil.copytree(ran.path, folder / "altered", symlinks=True)
    *events, last = ran.events
    change(last)
    lines = [json.dumps(event) + "\n" for event in (*events, last)]
    (folder / "altered" / "events.jsonl").write_text("".join(lines))
    return folder / "altered"


def test_a_run_steered_by_every_means_is_identical(steered: Ran, tmp_path: Path) -> None:
    assert steered.rejected == []
    assert len(steered.applied) >= 12
    wanted = recipe(steered.path)
    assert [[int(c.when.split()[1]), c.what] for c in wanted.config.commands] == steered.last["lineage"]
    again = repeated(steered, tmp_path)
    assert verdict(steered.path, again) == (True, f"identical: sha256 {steered.last['weights_sha256']}")
    first, second = (replay.curve(ran.path, wanted.last_step) for ran in (steered, again))
    for name in ("step", "epoch", "loss", "metric", "lr", "grad_norm"):
        assert np.array_equal(first[name], second[name], equal_nan=name == "grad_norm"), name


def test_a_replay_of_a_replay(steered: Ran, tmp_path: Path) -> None:
    again = repeated(repeated(steered, tmp_path / "a"), tmp_path / "b")
    assert again.last["weights_sha256"] == steered.last["weights_sha256"]
    assert again.last["lineage"] == steered.last["lineage"]


def test_another_digest_of_the_same_curve(steered: Ran, tmp_path: Path) -> None:
    path = altered(steered, tmp_path, lambda last: last.update(weights_sha256="0" * 64))
    same, text = verdict(path, repeated(steered, tmp_path / "again"))
    assert not same
    assert text == "different weights, although the curves are the same at every step"


def test_another_command_parts_the_curves_at_its_step(steered: Ran, tmp_path: Path) -> None:
    def change(last: dict[str, Any]) -> None:
        last["lineage"][0][1] = "lr x3"
        last["weights_sha256"] = "0" * 64

    path = altered(steered, tmp_path, change)
    same, text = verdict(path, run_config(tmp_path / "again", recipe(path).config))
    assert not same
    assert text == "different: the curves part at step 3, lr 0.00200000009 and 0.00300000003, 0.001 apart"


def rows(count: int = 9) -> Rows:
    made = np.zeros(count, dtype=ROW)
    made["step"] = np.arange(1, count + 1)
    made["grad_norm"] = made["metric"] = np.nan
    made["loss"], made["lr"] = np.linspace(2, 1, count), 0.1
    return made


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": 4}, "step 5, loss"),
        ({"lr": 7, "loss": 4}, "step 5, loss"),
        ({"lr": 4, "loss": 5}, "step 5, lr"),
        ({"lr": 4, "loss": 4, "metric": 4}, "step 5, lr"),
        ({"metric": 0}, "step 1, metric"),
    ],
)
def test_the_first_step_of_any_column_is_named(changes: dict[str, int], said: str) -> None:
    other = rows()
    for name, index in changes.items():
        other[name][index:] = 0.25
    text = parting(rows(), other)
    assert text.startswith(f"different: the curves part at {said} ")


def test_a_difference_of_one_bit_shows() -> None:
    other = rows()
    other["loss"][3] = np.nextafter(other["loss"][3], np.float32(9))
    text = parting(rows(), other)
    assert "step 4, loss 1.625 and 1.62500012, 1.19e-07 apart" in text
    assert parting(rows(), rows()).startswith("different weights")
    assert parting(rows(), rows()[:6]) == "different: 9 steps and 6, the same as far as both go"


def test_an_interrupted_run_goes_to_its_last_checkpoint(tmp_path: Path) -> None:
    ran = run(tmp_path / "a", after={5: ["lr x2"], 8: ["checkpoint"], 11: [Interrupt(signal="SIGINT")]})
    assert recipe(ran.path).last_step == 11
    assert verdict(ran.path, repeated(ran, tmp_path / "b"))[0]


def test_a_killed_run_goes_to_its_last_checkpoint_in_force(tmp_path: Path) -> None:
    after = {5: ["lr x2"], 8: ["checkpoint"], 10: ["lr x7"], 11: ["checkpoint"], 12: ["undo"]}
    ran = live(start(tmp_path / "a", "iris"), after=after, dies=13)
    wanted = recipe(ran.path)
    # Not that of step 11, which was undone; the undo's own may have been on its way when the end came.
    assert wanted.last_step in (8, 10)
    assert [c.what for c in wanted.config.commands] == ["lr x2", "stop last"]
    same, text = verdict(ran.path, repeated(ran, tmp_path / "b"))
    assert (same, text) == (True, f"identical: sha256 {wanted.weights_sha256}")


def test_a_run_that_went_on_after_its_end_has_another_end(tmp_path: Path) -> None:
    first = live(start(tmp_path / "a", "iris"), after={9: ["stop last"]})
    second = live(go_on(first), after={14: [Interrupt(signal="SIGTERM")]})
    assert recipe(second.path).last_step == 14
    assert verdict(second.path, repeated(second, tmp_path / "b"))[0]


def test_the_recorded_threads_are_part_of_the_recipe(steered: Ran) -> None:
    meta = run_directory.read_meta(steered.path)
    assert recipe(steered.path).config.threads == meta.last.threads == 1


def test_where_nothing_was_saved_there_is_nothing_to_repeat(tmp_path: Path) -> None:
    never = start(tmp_path, "iris").path
    killed = live(start(tmp_path, "iris"), dies=3).path
    for path in (never, killed):
        with pytest.raises(UserError, match="nothing to replay"):
            recipe(path)
    assert config("iris").commands == ()
