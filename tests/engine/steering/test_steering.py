"""Every command that changes training: the effective values before and after it, or why it was refused."""

import pytest
from support.running import rates, run, single

LR = 0.001
APPLIED = {
    "lr 0.25": ({"lr": LR}, {"lr": 0.25}),
    "lr x0.5": ({"lr": LR}, {"lr": LR / 2}),
    "lr 100": ({"lr": LR}, {"lr": 100.0}),
    "schedule cosine eta_min=1e-4": (
        {"schedule": "constant", "lr": LR},
        {"schedule": "cosine eta_min=0.0001", "lr": LR},
    ),
    "schedule linear start_factor=0.5": (
        {"schedule": "constant", "lr": LR},
        {"schedule": "linear start_factor=0.5", "lr": LR / 2},
    ),
    "schedule one_cycle": ({"schedule": "constant", "lr": LR}, {"schedule": "one_cycle", "lr": LR / 25}),
    "schedule one-cycle max_lr=0.5": (
        {"schedule": "constant", "lr": LR},
        {"schedule": "one_cycle max_lr=0.5", "lr": 0.5 / 25},
    ),
    "optimizer sgd": (
        {"optimizer": "adam", "lr": LR, "betas": [0.9, 0.999]},
        {"optimizer": "sgd", "lr": 0.01, "momentum": 0.0, "nesterov": False},
    ),
    "optimizer sgd lr=0.05 momentum=0.9": (
        {"optimizer": "adam", "lr": LR},
        {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9},
    ),
    "optimizer adam betas=[0.8,0.99]": (
        {"optimizer": "adam", "lr": LR, "betas": [0.9, 0.999]},
        {"optimizer": "adam", "lr": LR, "betas": [0.8, 0.99]},
    ),
    "set weight_decay 0.25": ({"weight_decay": 0.0}, {"weight_decay": 0.25}),
    "set l1 1e-4": ({"l1": 0.0}, {"l1": 1e-4}),
    "set clip.norm 0.5": ({"clip.norm": None}, {"clip.norm": 0.5}),
    "set clip.value 0.1": ({"clip.value": None}, {"clip.value": 0.1}),
    "set dropout 0.5": ({"dropout": 0.0}, {"dropout": 0.5}),
    "set label_smoothing 0.1": ({"label_smoothing": 0.0}, {"label_smoothing": 0.1}),
    "set patience 3": ({"patience": None}, {"patience": 3}),
    "batch 8": (
        {"batch_size": 16, "steps": 24, "epochs": 4, "lr": LR},
        {"batch_size": 8, "steps": 45, "epochs": 4, "lr": LR},
    ),
    "batch 96": ({"batch_size": 16, "steps": 24}, {"batch_size": 96, "steps": 7}),
    "epochs 2": ({"epochs": 4, "steps": 24}, {"epochs": 2, "steps": 12}),
    "epochs 7": ({"epochs": 4, "steps": 24}, {"epochs": 7, "steps": 42}),
}
REJECTED = {
    "lr x1e9": "at most 100",
    "lr -1": "above 0",
    "lr 0": "above 0",
    "lr x0": "above 0",
    "lr nan": "learning rate",
    "lr inf": "at most 100",
    "lr xnan": "learning rate",
    "lr 100.1": "at most 100",
    "batch 97": "the training part has 96 rows; batch 96 takes all",
    "batch 999999999": "the training part has 96 rows",
    "epochs 999999999999999": "epochs: 999999999999999 is above 10000000",
    "set l1 1e29": "regularisation.l1: 1e+29 is above 100",
    "set weight_decay 101": "regularisation.weight_decay: 101.0 is above 100",
    "optimizer adam eps=1e29": "optimizer.eps",
    "schedule cosine eta_min=1e29": "schedule.eta_min",
    "schedule exponential gamma=101": "schedule.gamma",
    "schedule reduce_on_plateau min_lr=101": "schedule.min_lr",
    "optimizer sgd lr=-1": "optimizer.lr",
    "optimizer sgd lr=1e9": "optimizer.lr",
    "optimizer sgd nesterov=true": "nesterov",
    "optimizer adm": "did you mean 'adam'?",
    "optimizer adam momentum=0.9": "momentum",
    "optimizer nothere:Best": "nothere",
    "optimizer collections:OrderedDict": "OrderedDict",
    "schedule cosin": "did you mean 'cosine'?",
    "schedule step gamma=-1": "gamma",
    "schedule multistep": "milestones",
    "schedule reduce_on_plateau metric=acc": "accuracy",
    "set dropout 2": "dropout",
    "set dropout -0.1": "dropout",
    "set weight_decay -1": "weight_decay",
    "set weight_decay nan": "weight_decay",
    "set weight_decay inf": "weight_decay",
    "set l1 -1": "l1",
    "set clip.norm 0": "norm",
    "set clip.value -1": "value",
    "set label_smoothing 1": "label_smoothing",
    "set augment 0.5": "augmentation is for images",
    "set patience 0": "patience",
    "set patience 2.5": "patience",
    "set dropot 0.1": "did you mean 'dropout'?",
    "set dropout": "KNOB VALUE",
    "batch 0": "batch",
    "batch -3": "batch",
    "batch 2.5": "batch",
    "epochs 0": "epochs",
    "epochs 1": "epoch 2 has begun",
    "stop now": "best or last",
    "checkpoint best": "cannot be a name",
    "checkpoint ../up": "cannot be a name",
    "evaluate all": "nothing more",
    "undo": "",
    "rewind nowhere": "",
    "dance": "unknown command",
}


@pytest.mark.parametrize("command", APPLIED)
def test_what_is_applied_says_what_was_and_what_is(tmp_path, command):
    before, after = APPLIED[command]
    ran = run(tmp_path, at=[f"step 3: {command}"])
    (answer,) = ran.answers
    assert (answer["type"], answer["command"], answer["step"]) == ("command_applied", command, 3)
    assert {key: answer["before"][key] for key in before} == pytest.approx(before)
    assert {key: answer["after"][key] for key in after} == pytest.approx(after)
    assert ran.last["lineage"] == [[3, command]]
    if "lr" in after:
        assert rates(ran)[4] == single(answer["after"]["lr"])
        assert rates(ran)[3] == single(LR)
    if "steps" in after:
        assert ran.last["step"] == after["steps"]
    for key, value in after.items():
        assert ran.status.in_force.values()[key] is not None or value is None


def test_what_is_rejected_says_why_and_changes_nothing(tmp_path, plain_run):
    """All at one boundary: after the first that left a trace, the curve would be another."""
    ran = run(tmp_path, after={9: list(REJECTED)})
    assert [answer["type"] for answer in ran.answers] == ["command_rejected"] * len(REJECTED)
    for answer, (command, reason) in zip(ran.answers, REJECTED.items(), strict=True):
        assert (answer["command"], answer["step"]) == (command, 9)
        assert reason in answer["reason"], answer
        assert 1 <= len(answer["reason"].splitlines()) <= 3
    assert ran.last["type"] == "finished"
    assert ran.last["lineage"] == []
    assert ran.curve() == plain_run.curve()
    assert ran.last["weights_sha256"] == plain_run.last["weights_sha256"]


def test_a_rate_that_was_not_set_right_is_told_as_it_is(tmp_path, monkeypatch):
    """One place sets it; acknowledgement, rows, events and status read what the optimizer has."""

    def half(optimizer, rate):
        for group in optimizer.param_groups:
            group["lr"] = rate / 2

    monkeypatch.setattr("trainconsole.engine.optim.optimizers.set_rate", half)
    ran = run(tmp_path, at=["step 3: lr 0.25", "step 5: batch 8"])
    first, second = ran.answers
    assert (first["before"]["lr"], first["after"]["lr"]) == (LR / 2, 0.125)
    assert second["after"]["lr"] == 0.125
    assert rates(ran)[3] == single(LR / 2)
    assert rates(ran)[4] == single(0.125)
    assert ran.status.in_force.lr == 0.125
    assert [event["lr"] for event in ran.of("epoch")] == [0.125] * 4
