"""Undo, rewind and resume: the weights are a function of the config and the lineage, whatever the way."""

from pathlib import Path

import numpy as np
import pytest
from support.resuming import go_on, live, repeated, start
from support.running import Ran, run

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.commands import Interrupt
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs import branches

DROPOUT = ("model.dropout=0.2", "schedule.name=cosine", "early_stopping.patience=50")


def digest(ran: Ran) -> str:
    assert ran.last["type"] == "finished", ran.last
    return str(ran.last["weights_sha256"])


def test_undo_brings_everything_back(tmp_path: Path) -> None:
    never = run(tmp_path / "a", "iris", *DROPOUT)
    undone = run(tmp_path / "b", "iris", *DROPOUT, after={7: ["optimizer sgd lr=0.05"], 13: ["undo"]})
    assert digest(undone) == digest(never)
    assert undone.last["lineage"] == []
    (branched,) = undone.of("branched")
    assert (branched["parent"], branched["at_step"], branched["branch"], branched["why"]) == (0, 7, 1, "undo")
    answer = undone.applied[-1]
    assert (answer["command"], answer["step"], answer["branch"]) == ("undo", 7, 1)
    rows = undone.rows
    assert list(rows["step"][rows["branch"] == 1]) == list(range(8, int(rows["step"].max()) + 1))


def test_undo_again_takes_the_one_before(tmp_path: Path) -> None:
    one = run(tmp_path / "a", "iris", *DROPOUT, after={3: ["lr x0.5"]})
    two = run(
        tmp_path / "b",
        "iris",
        *DROPOUT,
        after={3: ["lr x0.5"], 6: ["set dropout 0.5", "batch 8"], 9: ["lr x3"], 11: ["undo"], 12: ["undo"]},
    )
    assert two.last["lineage"] == [[3, "lr x0.5"]]
    assert digest(two) == digest(one)
    three = run(tmp_path / "c", "iris", *DROPOUT, after={3: ["lr x0.5"], 6: ["lr x2"], 9: ["undo", "undo"]})
    assert three.last["lineage"] == []
    assert digest(three) == digest(run(tmp_path / "d", "iris", *DROPOUT))


def test_nothing_to_undo_is_refused_and_rewind_named(tmp_path: Path) -> None:
    ran = run(tmp_path, after={2: ["undo"], 3: ["lr x1e9"], 4: ["undo"]})
    assert all("rewind" in event["reason"] for event in ran.rejected if event["command"] == "undo")
    assert len(ran.rejected) == 3


def test_a_scripted_command_that_was_undone_is_spent(tmp_path: Path) -> None:
    ran = run(tmp_path, at=["step 5: lr x0.5"], after={8: ["undo"]})
    assert ran.last["lineage"] == []
    assert [event["command"] for event in ran.applied] == ["lr x0.5", "undo"]


def test_rewind_to_a_name_to_the_best_and_to_a_step(tmp_path: Path) -> None:
    ran = run(
        tmp_path / "a",
        "iris",
        *DROPOUT,
        after={
            4: ["lr x0.5"],
            6: ["checkpoint here"],
            8: ["optimizer sgd lr=0.01 momentum=0.9"],
            10: ["rewind here"],
            11: ["lr x3"],
            13: ["rewind step 9"],
        },
    )
    assert [event["why"] for event in ran.of("branched")] == ["rewind", "rewind"]
    # The step is reached from the checkpoint at 6 on the branch that is in force.
    assert ran.of("branched")[1]["at_step"] == 6
    assert ran.last["lineage"] == [[4, "lr x0.5"]]
    assert digest(ran) == digest(run(tmp_path / "b", "iris", *DROPOUT, after={4: ["lr x0.5"]}))
    assert digest(repeated(ran, tmp_path / "c")) == digest(ran)


def test_rewind_to_a_step_applies_what_was_in_force_again(tmp_path: Path) -> None:
    ran = run(
        tmp_path / "a",
        "iris",
        *DROPOUT,
        after={3: ["lr x0.5"], 7: ["batch 8"], 12: ["set l1 0.001"], 14: ["rewind step 10"]},
    )
    (branched,) = ran.of("branched")
    assert branched["at_step"] == 0
    assert [entry[:2] for entry in branched["pending"]] == [[3, "lr x0.5"], [7, "batch 8"]]
    again = [event for event in ran.applied if event["origin"] == "again"]
    assert [(event["step"], event["command"], event["branch"]) for event in again] == [
        (3, "lr x0.5", 1),
        (7, "batch 8", 1),
    ]
    assert [event["id"] for event in again] == [entry[2] for entry in branched["pending"]]
    assert ran.last["lineage"] == [[3, "lr x0.5"], [7, "batch 8"]]
    assert digest(repeated(ran, tmp_path / "b")) == digest(ran)


def test_a_rewind_to_what_is_not_there_is_refused(tmp_path: Path) -> None:
    ran = run(tmp_path, after={3: ["rewind nothing", "rewind step 999", "rewind last"]})
    reasons = [event["reason"] for event in ran.rejected]
    assert "no checkpoint 'nothing'" in reasons[0]
    assert "still to come" in reasons[1]
    assert ran.of("branched") == []


def test_a_rewind_can_be_undone(tmp_path: Path) -> None:
    ran = run(tmp_path / "a", "iris", *DROPOUT, after={5: ["lr x2"], 9: ["rewind step 2"], 12: ["undo"]})
    assert ran.last["lineage"] == [[5, "lr x2"]]
    assert digest(ran) == digest(run(tmp_path / "b", "iris", *DROPOUT, after={5: ["lr x2"]}))


def test_undo_then_rewind_before_it_then_stop_with_best(tmp_path: Path) -> None:
    ran = run(
        tmp_path / "a",
        "iris",
        *DROPOUT,
        after={
            2: ["lr x2"],
            7: ["checkpoint before"],
            9: ["optimizer rmsprop"],
            13: ["undo"],
            15: ["rewind before"],
            21: ["stop best"],
        },
    )
    assert ran.last["lineage"] == [[2, "lr x2"], [21, "stop best"]]
    assert digest(repeated(ran, tmp_path / "b")) == digest(ran)
    never = run(tmp_path / "c", "iris", *DROPOUT, after={2: ["lr x2"], 21: ["stop best"]})
    assert digest(never) == digest(ran)


def test_best_goes_back_with_the_weights(tmp_path: Path) -> None:
    ran = run(
        tmp_path, "iris", *DROPOUT, after={7: ["lr x2"], 20: ["undo"], 21: ["pause"]}, waits=["stop best"]
    )
    best = ran.last["best"]
    assert ran.checkpoint("best")["position"]["step"] == best["step"]
    assert run_directory.read_events(ran.path)[0]


@pytest.mark.parametrize("stops", [5, 6, 12, 14])
def test_a_resume_in_mid_epoch_or_at_its_end_is_exact(tmp_path: Path, stops: int) -> None:
    whole = run(tmp_path / "a", "iris", *DROPOUT, at=["step 4: lr x2", "step 13: optimizer adamw"])
    launch = start(tmp_path / "b", "iris", *DROPOUT, at=["step 4: lr x2", "step 13: optimizer adamw"])
    first = live(launch, after={stops: [Interrupt(signal="SIGTERM")]})
    assert first.last["type"] == "interrupted"
    second = live(go_on(first))
    assert digest(second) == digest(whole)
    assert second.of("branched")[0]["why"] == "resume"
    assert second.of("resumed_run")[0]["checkpoint"] == f"checkpoints/last-b0-s{stops:06d}.pt"
    rows = branches.in_force(second.rows, run_directory.read_events(second.path)[0])
    assert list(rows["step"]) == list(range(1, len(rows) + 1))
    assert np.array_equal(rows["loss"], whole.rows["loss"])
    assert [event["seq"] for event in second.events] == list(range(len(second.events)))


def test_killed_resumed_killed_before_all_was_applied_again_and_resumed(tmp_path: Path) -> None:
    at = [
        "step 3: lr x2",
        "step 8: batch 8",
        "step 12: optimizer sgd lr=0.01 momentum=0.9",
        "step 40: lr x0.5",
    ]
    whole = run(tmp_path / "a", "iris", *DROPOUT, at=at)
    launch = start(tmp_path / "b", "iris", *DROPOUT, at=at)
    first = live(launch, dies=15)
    assert not (first.path / "checkpoints").exists()
    second = live(go_on(first), dies=6)
    (branched,) = second.of("branched")
    assert (branched["at_step"], len(branched["pending"])) == (0, 3)
    third = live(go_on(second))
    assert [len(event["pending"]) for event in third.of("branched")] == [3, 3]
    assert digest(third) == digest(whole)
    assert third.last["lineage"] == whole.last["lineage"]


def test_killed_right_after_an_undo_that_went_behind_the_last_checkpoint(tmp_path: Path) -> None:
    launch = start(tmp_path / "a", "iris", *DROPOUT)
    after = {4: ["lr x2"], 8: ["batch 8"], 10: ["checkpoint"], 12: ["undo"]}
    first = live(launch, after=after, dies_after=4)
    assert [event["command"] for event in first.applied][-1] == "undo"
    for path in (first.path / "checkpoints").glob("last-b1*"):
        path.unlink()
    second = live(go_on(first))
    assert second.last["lineage"] == [[4, "lr x2"]]
    assert digest(second) == digest(run(tmp_path / "b", "iris", *DROPOUT, after={4: ["lr x2"]}))


def test_after_a_resume_undo_of_what_came_before_names_rewind(tmp_path: Path) -> None:
    first = live(start(tmp_path, "iris"), after={4: ["lr x2"], 8: [Interrupt(signal="SIGINT")]})
    second = live(go_on(first), after={9: ["undo", "lr x2"], 10: ["undo"]})
    (refused,) = second.rejected
    assert "rewind" in refused["reason"]
    assert second.last["lineage"] == [[4, "lr x2"]]


def test_while_commands_are_applied_again_others_wait(tmp_path: Path) -> None:
    first = live(start(tmp_path / "a", "iris"), after={4: ["lr x2"], 9: ["batch 8"]}, dies=14)
    second = live(go_on(first), after={0: ["lr x7", "pause", "resume"]})
    order = [(event["command"], event["step"]) for event in second.applied if event["branch"] == 1]
    assert order == [("pause", 0), ("resume", 0), ("lr x2", 4), ("batch 8", 9), ("lr x7", 9)]
    assert digest(repeated(second, tmp_path / "b")) == digest(second)


def test_resume_takes_new_values_for_what_has_a_live_command(tmp_path: Path) -> None:
    first = live(start(tmp_path / "a", "iris"), after={8: [Interrupt(signal="SIGINT")]})
    second = live(go_on(first, "epochs=6", "optimizer.lr=0.005", "regularisation.l1=0.001"))
    assert second.last["lineage"] == [[8, "epochs 6"], [8, "lr 0.005"], [8, "set l1 0.001"]]
    assert second.last["step"] == 36
    assert digest(repeated(second, tmp_path / "b")) == digest(second)
    with pytest.raises(UserError, match="needs a new run"):
        go_on(first, "model.hidden=[3]")


def test_a_finished_run_goes_on_with_more_epochs(tmp_path: Path) -> None:
    first = live(start(tmp_path / "a", "iris"), after={9: ["stop last"]})
    second = live(go_on(first, "epochs=5"))
    assert second.last["lineage"] == [[9, "epochs 5"]]
    assert second.last["reason"] == "completed"
    assert digest(repeated(second, tmp_path / "b")) == digest(second)


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    whole = run(tmp_path / "a", "iris", *DROPOUT)
    first = live(
        start(tmp_path / "b", "iris", *DROPOUT), after={6: ["checkpoint"], 9: [Interrupt(signal="SIGINT")]}
    )
    path = (first.path / "checkpoints" / "last.pt").resolve()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(bytes(data))
    second = live(go_on(first))
    assert second.of("resumed_run")[0]["checkpoint"] == "checkpoints/last-b0-s000006.pt"
    assert any("damaged" in event["why"] for event in second.of("warning"))
    assert digest(second) == digest(whole)


def test_the_last_two_the_best_and_the_named_are_kept(tmp_path: Path) -> None:
    after = {step: ["checkpoint"] for step in range(3, 20, 2)} | {4: ["checkpoint mine"]}
    ran = run(tmp_path, after=after)
    names = sorted(path.name for path in (ran.path / "checkpoints").iterdir() if not path.is_symlink())
    assert len([name for name in names if name.startswith("last-b")]) == 2
    assert [name for name in names if name.startswith("mine")] == ["mine-b0-s000004.pt"]
    for path in (ran.path / "checkpoints").glob("*.pt"):
        file = ran.checkpoint(path.stem)["best_file"]
        assert not file or (path.parent / file).exists()


def test_snapshots_go_to_the_disk_and_leave_with_the_session(tmp_path: Path) -> None:
    ran = run(tmp_path, after={3: ["lr x2"], 5: ["lr x2"]})
    assert ran.status.undo_depth == 2
    assert not (ran.path / "undo").exists()


def test_a_start_that_was_killed_is_begun_at_step_0(tmp_path: Path) -> None:
    launch = start(tmp_path / "a", "iris")
    ran = live(go_on(Ran(launch.path, launch, None, None, None)))  # type: ignore[arg-type]
    assert ran.events[0]["type"] == "started"
    assert digest(ran) == digest(run(tmp_path / "b", "iris"))


def test_a_stop_that_broke_off_the_evaluation_is_repeated_where_patience_would_have_ended(
    tmp_path: Path,
) -> None:
    """At step 12 the second epoch ends: evaluated, it would stop early, with the weights of the first."""
    sets = ["early_stopping.patience=1", "early_stopping.metric=accuracy", "optimizer.lr=1e-7"]
    early = run(tmp_path / "a", "iris", *sets)
    assert (early.last["reason"], early.last["step"]) == ("early_stopping", 12)
    stopped = run(tmp_path / "b", "iris", *sets, after={12: ["stop last"]})
    assert (stopped.last["reason"], stopped.last["step"]) == ("stopped", 12)
    assert digest(stopped) != digest(early)
    again = repeated(stopped, tmp_path / "c")
    assert digest(again) == digest(stopped)
    end = digest(stopped)
    # As if killed when the stop was on the disk, and nothing after it.
    lines = (stopped.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    acknowledged = next(i for i, line in enumerate(lines) if b'"stop last"' in line)
    (stopped.path / "events.jsonl").write_bytes(b"".join(lines[: acknowledged + 1]))
    assert digest(live(go_on(stopped))) == end
