"""Lightning's Trainer with a model made on the spot, watched and steered."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

pytest.importorskip("lightning", reason="lightning is not installed: make integrations")

import lightning
import pytorch_lightning
from support.other_loops import Person, Record

import trainconsole

PACKAGES = {"lightning": lightning.pytorch, "pytorch_lightning": pytorch_lightning}


def module(package: str, *, manual: bool = False) -> Any:
    """A linear classifier, with one optimizer, or two that it steps itself."""

    class Line(PACKAGES[package].LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(8, 4), nn.Linear(4, 2)
            self.automatic_optimization = not manual

        def loss(self, batch):
            return nn.functional.cross_entropy(self.last(self.first(batch[0])), batch[1])

        def training_step(self, batch, index):
            loss = self.loss(batch)
            self.log("train_loss", loss)
            if manual:
                self.manual_backward(loss)
                for one in self.optimizers():
                    one.step()
                    one.zero_grad()
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", self.loss(batch))

        def configure_optimizers(self):
            if manual:
                return [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.first, self.last)]
            one = torch.optim.AdamW(self.parameters(), lr=0.01)
            schedule = torch.optim.lr_scheduler.LinearLR(one, 1.0, 0.0, 24)
            return [one], [{"scheduler": schedule, "interval": "step"}]

    torch.manual_seed(0)
    return Line()


def fit(tmp_path: Path, person: Person, package: str = "lightning", *, watched: bool = True, **given: Any):
    """(trainer, module) after a training of three epochs of eight batches."""
    base = PACKAGES[package]

    class Speaker(base.Callback):
        def on_train_start(self, trainer, pl_module):
            for one in trainer.strategy.optimizers:
                person.watch(one)

        def on_train_batch_start(self, trainer, pl_module, batch, index):
            person.own.append(trainer.strategy.optimizers[0].param_groups[0]["lr"])
            person.speak(trainer.fit_loop.total_batch_idx + 1)

    torch.set_num_threads(1)
    options = {
        "max_epochs": 3, "accelerator": "cpu", "logger": False, "enable_progress_bar": False,
        "enable_model_summary": False, "default_root_dir": tmp_path / "out", "num_sanity_val_steps": 0,
        **given,
    }  # fmt: skip
    manual, path = bool(options.pop("manual", False)), options.pop("ckpt_path", None)
    ours = [trainconsole.integrations.Lightning(runs_dir=tmp_path / "runs", grad_norm=True)]
    made = module(package, manual=manual)
    rows = torch.randn(64, 8, generator=torch.Generator().manual_seed(1))
    loader = DataLoader(TensorDataset(rows, (rows.sum(1) > 0).long()), batch_size=8)
    trainer = base.Trainer(callbacks=[*(ours if watched else ()), Speaker()], **options)
    trainer.fit(made, loader, loader, ckpt_path=path)
    return trainer, made


@pytest.mark.parametrize("package", PACKAGES)
def test_a_run_is_recorded_as_the_trainer_made_it(package, tmp_path):
    fit(tmp_path, person := Person(), package, accumulate_grad_batches=2)
    record = Record(tmp_path / "runs")
    assert record.rows["step"].tolist() == list(range(1, 13))
    assert record.rows["epoch"].tolist() == [1] * 4 + [2] * 4 + [3] * 4
    assert record.rows["lr"].tolist() == pytest.approx([used["lr"] for used in person.used])
    assert 0.5 < record.rows["loss"][0] < 1
    assert (record.rows["grad_norm"] > 0).all()
    assert [event["epoch"] for event in record.of("epoch")] == [1, 2, 3]
    assert all(set(event["val"]) == {"loss"} for event in record.of("epoch"))
    assert record.of("finished")[0]["reason"] == "completed"


SAYS = {
    2: ["lr x2"],
    4: ["lr x0.5"],
    5: ["pause", "next 1"],
    6: ["resume", "set weight_decay 0.3"],
    8: ["optimizer sgd lr=0.05 momentum=0.9"],
    10: ["schedule cosine"],
    12: ["schedule own"],
    14: ["undo", "batch 4", "epochs 9"],
    16: ["checkpoint mine"],
    18: ["evaluate"],
    20: ["stop"],
}


@pytest.mark.parametrize("package", PACKAGES)
def test_commands_are_in_force_from_the_next_update_on(package, tmp_path):
    trainer, _ = fit(tmp_path, person := Person(SAYS), package)
    record, used = Record(tmp_path / "runs"), person.used
    own, rates = [0.01 * (24 - step) / 24 for step in range(24)], [entry["lr"] for entry in used]
    assert person.own == pytest.approx(own[:20])
    assert rates[:8] == pytest.approx([*own[:2], 2 * own[2], 2 * own[3], *own[4:8]])
    assert record.rows["lr"].tolist() == pytest.approx(rates)
    assert [entry["weight_decay"] for entry in used[:7]] == [0.01] * 6 + [0.3]
    assert [entry["kind"] for entry in used] == ["AdamW"] * 8 + ["SGD"] * 12
    assert rates[8] == pytest.approx(0.05)
    assert rates[12:] == pytest.approx(own[12:20])
    assert [event["step"] for event in record.of("paused")] == [5, 6]
    assert record.of("evaluated")[0]["step"] == 18
    assert record.of("finished")[0]["reason"] == "stopped"
    assert trainer.global_step == record.rows["step"][-1] == 20


def test_a_stop_leaves_a_checkpoint_that_lightning_goes_on_from(tmp_path):
    fit(tmp_path, Person(SAYS))
    record = Record(tmp_path / "runs")
    assert "only goes forward: 'stop'" in record.rejected("undo")
    assert Path(record.applied("checkpoint")["after"]["path"]).name == "mine.ckpt"
    last = record.of("finished")[0]["note"].split(" is ")[1]
    assert torch.load(last, weights_only=False)["global_step"] == 20
    (tmp_path / "again").mkdir()
    fit(tmp_path / "again", person := Person(), ckpt_path=last)
    assert Record(tmp_path / "again" / "runs").rows["step"].tolist() == [21, 22, 23, 24]
    assert {(used["kind"], used["weight_decay"]) for used in person.used} == {("SGD", 0.3)}


def test_going_on_from_lightnings_checkpoint_is_as_if_nothing_had_happened(tmp_path):
    says = {3: ["optimizer sgd lr=0.1 momentum=0.9"], 5: ["schedule cosine"], 8: ["checkpoint eight"]}
    _, whole = fit(tmp_path, Person(says))
    path = Record(tmp_path / "runs").applied("checkpoint")["after"]["path"]
    (tmp_path / "again").mkdir()
    _, again = fit(tmp_path / "again", Person(), ckpt_path=path)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_several_optimizers_that_a_module_steps_itself(tmp_path):
    says = {2: ["lr x2", "optimizer adam lr=0.1"], 4: ["set clip.norm 1e-9"], 6: ["stop"]}
    trainer, _ = fit(tmp_path, person := Person(says), manual=True)
    record = Record(tmp_path / "runs")
    assert record.rows["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert [used["lr"] for used in person.used] == pytest.approx([0.1] * 4 + [0.2] * 8)
    assert "several optimizers (optimizer_0, optimizer_1)" in record.rejected("optimizer")
    assert trainer.global_step == 12


def test_clipping_is_of_the_gradients_that_the_update_uses(tmp_path):
    """In Lightning's closure they are made within step(): before it there are those of the update before."""
    says = {1: ["optimizer sgd lr=0.1", "set weight_decay 0", "set clip.norm 1e-9"], 2: ["stop"]}
    _, clipped = fit(tmp_path, Person(says), max_epochs=1)
    (tmp_path / "once").mkdir()
    _, once = fit(tmp_path / "once", Person({1: ["stop"]}), max_epochs=1)
    for one, other in zip(once.parameters(), clipped.parameters(), strict=True):
        assert (one - other).abs().max() < 1e-7
    assert Record(tmp_path / "runs").rows["grad_norm"][1] > 1e-3


def test_the_modules_own_schedule_is_not_touched(tmp_path):
    _, plain = fit(tmp_path, watched := Person(), watched=False)
    _, seen = fit(tmp_path, person := Person())
    assert person.own == watched.own
    for name, value in plain.state_dict().items():
        assert torch.equal(value, seen.state_dict()[name]), name
    fit(tmp_path, steered := Person({3: ["lr x2"], 9: ["lr x0.5"], 12: ["schedule constant"]}))
    assert steered.own == watched.own
