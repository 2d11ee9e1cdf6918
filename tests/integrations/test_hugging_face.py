"""A transformers.Trainer with a model made on the spot, watched and steered."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="transformers is not installed: make integrations")

from support.other_loops import Person, Record, inbox  # noqa: E402

import trainconsole  # noqa: E402
from trainconsole.engine.attach import attach  # noqa: E402
from trainconsole.engine.protocol.commands import Request  # noqa: E402


class Tokens(torch.utils.data.Dataset):
    """64 rows of 8 tokens."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        tokens = torch.randint(0, 50, (8,), generator=torch.Generator().manual_seed(row))
        return {"input_ids": tokens, "labels": tokens}


class Speaker(transformers.TrainerCallback):
    """Comes after trainconsole's, so that its hook does."""

    def __init__(self, person: Person) -> None:
        self.person = person

    def on_train_begin(self, args, state, control, optimizer=None, **kwargs):
        self.person.watch(getattr(optimizer, "optimizer", optimizer))

    def on_optimizer_step(self, args, state, control, **kwargs):
        self.person.speak(state.global_step + 1)

    def on_step_begin(self, args, state, control, lr_scheduler=None, **kwargs):
        self.person.own.append(lr_scheduler.get_last_lr()[0])


def trainer(tmp_path: Path, person: Person, **given: Any) -> Any:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = transformers.GPT2Config(
        n_layer=1, n_embd=16, n_head=2, vocab_size=50, n_positions=32, bos_token_id=0, eos_token_id=0
    )
    options = {
        "num_train_epochs": 3, "per_device_train_batch_size": 8, "learning_rate": 0.01, "save_strategy": "no",
        "logging_steps": 5, "report_to": [], "disable_tqdm": True, "use_cpu": True, "max_grad_norm": 1.0,
        "dataloader_pin_memory": False, **given,
    }  # fmt: skip
    ours = trainconsole.integrations.HuggingFace(runs_dir=tmp_path / "runs")
    return transformers.Trainer(
        transformers.GPT2LMHeadModel(config),
        transformers.TrainingArguments(str(tmp_path / "out"), **options),
        train_dataset=Tokens(),
        eval_dataset=Tokens(),
        callbacks=[ours, Speaker(person)],
    )


def test_a_run_is_recorded_as_the_trainer_made_it(tmp_path):
    made = trainer(tmp_path, person := Person(), eval_strategy="epoch", gradient_accumulation_steps=2)
    made.train()
    record = Record(tmp_path / "runs")
    rows, logged = record.rows, [entry for entry in made.state.log_history if "loss" in entry]
    assert rows["step"].tolist() == list(range(1, 13))
    assert rows["epoch"].tolist() == [1] * 4 + [2] * 4 + [3] * 4
    assert rows["lr"].tolist() == pytest.approx([used["lr"] for used in person.used])
    assert rows["loss"][:5].mean() == pytest.approx(logged[0]["loss"], abs=1e-3)
    assert rows["grad_norm"][4] == pytest.approx(logged[0]["grad_norm"], rel=1e-4)
    losses = [entry["eval_loss"] for entry in made.state.log_history if "eval_loss" in entry]
    assert [event["val"]["loss"] for event in record.of("epoch")] == pytest.approx(losses)
    assert [event["epoch"] for event in record.of("epoch")] == [1, 2, 3]
    assert record.of("finished")[0]["reason"] == "completed"
    assert "training_step" not in vars(made)


SAYS = {
    2: ["lr x2"],
    4: ["lr x0.5"],
    6: ["set weight_decay 0.3", "set clip.norm 0.001"],
    8: ["optimizer sgd lr=0.05 momentum=0.9"],
    10: ["schedule cosine"],
    12: ["schedule own"],
    14: ["undo", "rewind step 2", "batch 4", "epochs 9", "checkpoint mine"],
    16: ["checkpoint"],
    17: ["evaluate"],
    20: ["stop"],
}


def test_commands_are_in_force_from_the_next_update_on(tmp_path):
    made = trainer(tmp_path, person := Person(SAYS))
    made.train()
    record, used = Record(tmp_path / "runs"), person.used
    own = [made.args.learning_rate * (24 - step) / 24 for step in range(24)]
    rates = [entry["lr"] for entry in used]
    assert rates[:8] == pytest.approx([*own[:2], 2 * own[2], 2 * own[3], *own[4:8]])
    assert record.rows["lr"].tolist() == pytest.approx(rates)
    assert [entry["weight_decay"] for entry in used[:7]] == [0.0] * 6 + [0.3]
    assert [entry["kind"] for entry in used] == ["AdamW"] * 8 + ["SGD"] * 12
    assert used[8]["momentum"] == 0.9
    assert rates[8] == pytest.approx(0.05)
    assert rates[9] == pytest.approx(0.05 * own[9] / own[8])
    assert rates[12:] == pytest.approx([*own[12:20]])
    assert record.applied("lr x2")["after"]["lr"] == pytest.approx(2 * own[2])
    assert record.applied("optimizer")["after"]["optimizer"] == "sgd"
    assert record.applied("set weight_decay")["after"] == {"weight_decay": 0.3}
    assert record.rows["step"][-1] == made.state.global_step == 20


def test_what_only_the_owner_of_a_loop_could_do_is_refused(tmp_path):
    made = trainer(tmp_path, Person(SAYS))
    made.train()
    record = Record(tmp_path / "runs")
    assert "only goes forward: 'stop'" in record.rejected("undo")
    assert "resume_from_checkpoint" in record.rejected("rewind")
    assert "loader" in record.rejected("batch")
    assert "the Trainer's own" in record.rejected("epochs")
    assert "names its checkpoints itself" in record.rejected("checkpoint mine")


def test_a_stop_leaves_a_checkpoint_that_the_trainer_goes_on_from(tmp_path):
    made = trainer(tmp_path, Person(SAYS))
    made.train()
    record, folder = Record(tmp_path / "runs"), tmp_path / "out" / "checkpoint-20"
    assert record.of("finished")[0]["reason"] == "stopped"
    assert str(folder) in record.of("finished")[0]["note"]
    assert (tmp_path / "out" / "checkpoint-16" / "trainer_state.json").is_file()
    assert record.applied("checkpoint")["after"]["path"].endswith("checkpoint-16")
    (tmp_path / "again").mkdir()
    again = trainer(tmp_path / "again", person := Person())
    again.train(resume_from_checkpoint=str(folder))
    record = Record(tmp_path / "again" / "runs")
    assert record.rows["step"].tolist() == [21, 22, 23, 24]
    assert record.rows["epoch"].tolist() == [3] * 4
    assert {used["kind"] for used in person.used} == {"SGD"}
    assert {used["weight_decay"] for used in person.used} == {0.3}
    assert "in force again" in record.of("warning")[0]["why"]


def test_going_on_from_the_trainers_checkpoint_is_as_if_nothing_had_happened(tmp_path):
    """With a swap, its momentum, and a schedule, all of it set before the checkpoint."""
    says = {3: ["optimizer sgd lr=0.1 momentum=0.9"], 5: ["schedule cosine"], 9: ["checkpoint"]}
    whole = trainer(tmp_path, Person(says))
    whole.train()
    (tmp_path / "again").mkdir()
    again = trainer(tmp_path / "again", Person())
    again.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-9"))
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


def test_an_evaluation_is_made_while_the_run_is_paused(tmp_path):
    made = trainer(tmp_path, Person({3: ["pause", "evaluate"]}))
    seen: list[int] = []

    def resume() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            live = attach._sessions and attach._sessions[-1]
            if live and live.host.status.stage == "paused":
                time.sleep(0.2)
                seen.append(live.host.status.step)
                inbox().put(Request(id="go", origin="test", command="resume"))
                return
            time.sleep(0.02)

    other = threading.Thread(target=resume)
    other.start()
    made.train()
    other.join(60)
    record = Record(tmp_path / "runs")
    assert seen == [3]
    assert record.of("evaluated")[0]["step"] == 3
    assert record.of("evaluated")[0]["val"]["loss"] > 0
    assert record.of("paused")[0]["step"] == record.of("resumed")[0]["step"] == 3


def test_the_trainers_own_schedule_is_not_touched(tmp_path):
    """To the bit: what its scheduler reads and writes, and the weights of a run that nobody steers."""
    plain = trainer(tmp_path, watched := Person())
    plain.train()
    steered = trainer(tmp_path, person := Person({3: ["lr x2"], 9: ["lr x0.5"], 12: ["schedule constant"]}))
    steered.train()
    assert person.own == watched.own
    bare = trainer(tmp_path, Person())
    bare.pop_callback(trainconsole.integrations.HuggingFace)
    bare.train()
    for name, value in bare.model.state_dict().items():
        assert torch.equal(value, plain.model.state_dict()[name]), name
