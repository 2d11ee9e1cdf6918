"""What a knob covers is said where it is set, and what only the train loss has where a run begins."""

import pytest
from support.running import run

ALL = "all trained weights, biases and norms too"

SAID = {
    "set weight_decay 0.1": f"L2 in the gradient, over {ALL}",
    "set weight_decay off": "",
    "set l1 1e-4": "over all trained weights of the model, biases and norms too; "
    "it is in none of the losses shown",
    "set label_smoothing 0.1": "in the train loss alone: val and test are without it",
    "set label_smoothing off": "",
    "set dropout 0.5": "",
    "set clip.norm 1": "the norm of all trained weights' gradients together, before each update",
    "set clip.value 1": "each number of a gradient by itself, before each update",
    "set clip.norm off": "",
    "set patience 3": "from now on the best epoch is by loss; "
    "stops after 3 epochs without a better validation loss",
    "set patience off": "",
    "lr 0.01": "",
    "schedule constant": "",
    "schedule cosine": "then 5.58e-06 at the end",
    "schedule one_cycle": "rises to 0.000994 at step 9, then 4e-09 at the end",
    "schedule one_cycle max_lr=0.5": "rises to 0.497 at step 9, then 2e-06 at the end",
    "schedule reduce_on_plateau": "watches the validation loss",
    "schedule reduce_on_plateau metric=accuracy": "watches the validation accuracy",
    "optimizer adamw": "both moments and the step count carried over; "
    "weight decay stays 0, without which adamw is adam",
}


@pytest.mark.parametrize("command", SAID)
def test_an_acknowledgement_says_what_a_command_covers(tmp_path, command):
    (answer,) = run(tmp_path, at=[f"step 3: {command}"]).applied
    assert answer["note"] == SAID[command]


IN_A_CYCLE = {
    "lr x0.5": "the rest of the schedule is multiplied with it; rises to 0.000497 at step 9",
    "optimizer adam lr=0.01": "rises to 0.0161 at step 9",
    "set l1 off": "",
}


@pytest.mark.parametrize("command", IN_A_CYCLE)
def test_where_a_cycle_rises_a_rate_says_its_peak(tmp_path, command):
    ran = run(tmp_path, at=["step 3: schedule one_cycle", f"step 6: {command}"])
    assert IN_A_CYCLE[command] in ran.applied[1]["note"]
    ran = run(tmp_path, at=["step 3: schedule one_cycle", f"step 14: {command}"])
    assert "rises" not in ran.applied[1]["note"]


def test_under_adamw_the_decay_is_decoupled(tmp_path):
    (answer,) = run(tmp_path, "iris", "optimizer.name=adamw", at=["step 3: set weight_decay 0.1"]).applied
    assert answer["before"] == {"weight_decay": 0.01}
    assert answer["note"].startswith("decoupled, ")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["regularisation.label_smoothing=0.1"], ["label smoothing 0.1"]),
        (["data.balance=class_weights"], ["class weights"]),
        (["data.balance=class_weights", "regularisation.label_smoothing=0.1"], ["class weights and label"]),
        ([], []),
    ],
)
def test_what_only_the_train_loss_has_is_said_at_the_start(tmp_path, given, said):
    started = run(tmp_path, "iris", *given).events[0]
    texts = [text for text in started["data"] if "train loss" in text]
    assert len(texts) == len(said)
    for text, part in zip(texts, said, strict=True):
        assert text.startswith(f"the train loss has {part}")
        assert text.endswith("val and test loss have not")


@pytest.mark.parametrize(
    ("balance", "how"),
    [
        ("oversample", "repeated until all classes have as many"),
        ("weighted_sampler", "drawn with replacement, all classes as likely"),
        ("none", ""),
    ],
)
def test_what_the_train_figures_of_a_balanced_set_are_over(tmp_path, balance, how):
    started = run(tmp_path, "iris", f"data.balance={balance}").events[0]
    expected = [f"train loss and metrics are over rows {how}; val and test over each row once"] if how else []
    assert [text for text in started["data"] if "metrics are over" in text] == expected
