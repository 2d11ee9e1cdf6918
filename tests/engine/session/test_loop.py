"""Whole runs in one thread: repeatable to the bit, and the order of things at a step boundary."""

import time
from itertools import pairwise

import pytest
from support.running import Hand, rates, run, run_config, single

from trainconsole.engine.record import run_directory
from trainconsole.engine.reporting import readback

STEPS = 6
"""Updates in an epoch of iris: 96 flowers in batches of 16."""


def test_the_same_config_gives_the_same_weights_and_rows(tmp_path, plain_run):
    again = run(tmp_path)
    assert again.last["weights_sha256"] == plain_run.last["weights_sha256"]
    assert again.curve() == plain_run.curve()
    assert again.last["test"] == plain_run.last["test"]


def test_another_seed_gives_other_weights(tmp_path, plain_run):
    other = run(tmp_path, "iris", "seed=1")
    assert other.last["weights_sha256"] != plain_run.last["weights_sha256"]
    assert other.curve() != plain_run.curve()


def test_a_scripted_run_repeats_itself(tmp_path, plain_run):
    at = ["step 5: lr x3", "epoch 2: optimizer sgd lr=0.05 momentum=0.9", "step 14: batch 7"]
    one, two = run(tmp_path, at=at), run(tmp_path, at=at)
    assert one.curve() == two.curve()
    assert one.last["weights_sha256"] == two.last["weights_sha256"] != plain_run.last["weights_sha256"]
    assert one.last["lineage"] == two.last["lineage"]


def test_a_steered_run_is_its_scripted_twin(tmp_path):
    script = run(tmp_path, at=["step 5: lr x3", "step 9: set weight_decay 0.1"])
    steered = run(tmp_path, after={5: ["lr x3"], 9: ["set weight_decay 0.1"]})
    assert steered.curve() == script.curve()
    assert steered.last["weights_sha256"] == script.last["weights_sha256"]
    assert steered.last["lineage"] == script.last["lineage"]


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_reading_back_changes_nothing(tmp_path, monkeypatch, plain_run, seconds):
    monkeypatch.setattr(readback, "INTERVAL", seconds)
    other = run(tmp_path)
    assert other.curve() == plain_run.curve()
    assert other.last["weights_sha256"] == plain_run.last["weights_sha256"]


def test_what_leaves_training_alone_leaves_the_weights_alone(tmp_path, plain_run):
    at = ["step 3: evaluate", "step 4: checkpoint here", "step 8: evaluate", "step 9: next 2"]
    other = run(tmp_path, at=at, waits=["evaluate", "next", "resume"])
    assert other.curve() == plain_run.curve()
    assert other.last["weights_sha256"] == plain_run.last["weights_sha256"]
    assert other.last["lineage"] == []


def test_config_toml_as_a_preset_repeats_the_run(tmp_path):
    first = run(tmp_path, "digits", "data.limit=120", "epochs=2", at=["step 2: lr 0.01"])
    again = run_config(tmp_path, run_directory.read_config(first.path))
    assert run_directory.read_config(again.path) == first.launch.config
    assert run_directory.read_config(first.path) == first.launch.config
    assert again.last["weights_sha256"] == first.last["weights_sha256"]


def test_a_command_of_step_n_first_affects_row_n_plus_1(tmp_path):
    ran = run(tmp_path, at=["step 7: lr 0.25"])
    assert ran.applied[0]["step"] == 7
    lr = rates(ran)
    assert lr[7] == single(0.001)
    assert lr[8] == single(0.25)


def test_a_command_at_step_0_affects_the_first_row(tmp_path):
    ran = run(tmp_path, at=["step 0: lr 0.25"])
    assert ran.applied[0]["step"] == 0
    assert rates(ran)[1] == single(0.25)


def test_a_command_of_epoch_n_comes_before_its_first_update(tmp_path):
    ran = run(tmp_path, at=["epoch 1: lr 0.25", "epoch 3: lr 0.5"])
    assert [event["step"] for event in ran.applied] == [0, 2 * STEPS]
    lr = rates(ran)
    assert (lr[1], lr[2 * STEPS], lr[2 * STEPS + 1]) == (0.25, 0.25, 0.5)
    kinds = [event["type"] for event in ran.events if event["step"] == 2 * STEPS]
    assert kinds[:2] == ["epoch", "command_applied"]


def test_a_command_at_the_last_step_is_served_and_can_prolong_the_run(tmp_path):
    ran = run(tmp_path, "iris", "epochs=2", at=[f"step {2 * STEPS}: epochs 3"])
    assert ran.applied[0]["step"] == 2 * STEPS
    assert ran.last["step"] == 3 * STEPS
    assert [event["epoch"] for event in ran.of("epoch")] == [1, 2, 3]


def test_commands_of_one_boundary_apply_in_the_order_received(tmp_path):
    at = ["step 4: lr 0.5", "step 4: lr x0.5", "epoch 1: lr 0.1", "step 4: lr x0.5"]
    ran = run(tmp_path, at=at, after={4: ["lr x10", "lr 0.2"]})
    assert [event["command"] for event in ran.applied] == [
        "lr 0.1",
        "lr 0.5",
        "lr x0.5",
        "lr x0.5",
        "lr x10",
        "lr 0.2",
    ]
    assert [event["after"]["lr"] for event in ran.applied] == [0.1, 0.5, 0.25, 0.125, 1.25, 0.2]
    assert [event["origin"] for event in ran.applied] == ["script"] * 4 + ["test"] * 2
    assert rates(ran)[5] == single(0.2)


def test_an_answer_carries_the_id_of_the_request(tmp_path):
    ran = run(tmp_path, after={2: ["lr 0.2", "lr 1000"]})
    assert [(event["type"], event["id"]) for event in ran.answers] == [
        ("command_applied", "hand-1"),
        ("command_rejected", "hand-2"),
    ]


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_rows_up_to_an_event_are_on_disk_before_it(tmp_path, monkeypatch, seconds):
    monkeypatch.setattr(readback, "INTERVAL", seconds)
    at = [
        "step 3: lr 0.1",
        "step 5: evaluate",
        "step 8: checkpoint here",
        "step 10: lr 1000",
        "step 15: next 2",
    ]
    ran = run(tmp_path, at=at, waits=["resume"])
    for event, rows, lines in zip(ran.heard.events, ran.heard.rows_then, ran.heard.lines_then, strict=True):
        assert rows >= event.step, event
        assert lines >= event.seq + 1, event


def test_events_are_numbered_and_stamped(plain_run):
    events = plain_run.events
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert {event["branch"] for event in events} == {0}
    assert sorted(event["time"] for event in events) == [event["time"] for event in events]
    assert events[0]["type"] == "started"
    assert all(left["step"] <= right["step"] for left, right in pairwise(events))


def test_pause_serves_commands_and_resume_goes_on(tmp_path):
    ran = run(tmp_path, after={5: ["pause"]}, waits=["lr 0.5", "pause", "evaluate", "resume"])
    kinds = [event["type"] for event in ran.events if event["step"] == 5]
    assert kinds == [
        "command_applied",
        "paused",
        "command_applied",
        "command_rejected",
        "command_applied",
        "evaluated",
        "command_applied",
        "resumed",
    ]
    assert ran.rejected[0]["reason"] == "already paused"
    assert ran.of("paused")[0]["why"] == "on request"
    assert rates(ran)[6] == 0.5
    assert ran.last["reason"] == "completed"


def test_next_trains_so_many_steps_and_pauses(tmp_path):
    ran = run(tmp_path, after={5: ["next 3"]}, waits=["next", "next 2", "resume"])
    assert [event["step"] for event in ran.of("paused")] == [8, 9, 11]
    assert [event["after"] for event in ran.applied[:3]] == [{"steps": 3}, {"steps": 1}, {"steps": 2}]
    assert len(ran.rows) == 4 * STEPS


def test_next_at_the_end_of_an_epoch_closes_it_first(tmp_path):
    ran = run(tmp_path, after={STEPS - 1: ["next"]}, waits=["stop"])
    assert [event["type"] for event in ran.events if event["step"] == STEPS][:2] == ["paused", "epoch"]
    assert ran.last["step"] == STEPS


def test_resume_needs_a_pause(tmp_path):
    assert run(tmp_path, after={5: ["resume"]}).rejected[0]["reason"] == "not paused"


def test_stop_ends_a_pause(tmp_path):
    ran = run(tmp_path, at=["step 4: pause"], waits=["stop"])
    assert (ran.last["reason"], ran.last["step"]) == ("stopped", 4)


def test_pauses_do_not_count_as_training(tmp_path, monkeypatch):
    real = Hand.get

    def slowly(self):
        if self.empty():
            time.sleep(0.3)
        return real(self)

    monkeypatch.setattr(Hand, "get", slowly)
    ran = run(tmp_path, after={5: ["pause"]}, waits=["resume"])
    assert ran.rows["time"][5] - ran.rows["time"][4] < 0.25
