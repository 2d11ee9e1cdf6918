"""The preset `finetune`: from a digits run on classes 0-4 to classes 5-9."""

import pytest
import torch
from support.process import train

FIRST_HALF = "data.classes=[0, 1, 2, 3, 4]"
SEEDS = (0, 1, 2)


def final_accuracy(ran):
    return ran.of("epoch")[-1]["val"]["accuracy"]


def moved(ran, source, name):
    """How far a parameter is from what it was in the run that it came from."""
    before, after = (run.checkpoint(which)["model"][name] for run, which in ((source, "best"), (ran, "last")))
    return float((after - before).abs().mean())


@pytest.fixture
def halves(trained):
    """Trains a digits run on classes 0-4 with the seed asked for."""
    return lambda seed, *extra: trained("digits", FIRST_HALF, f"seed={seed}", *extra)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_learnt_elsewhere_pays(trained, halves, seed):
    """Higher than from scratch with the same settings, and than from scratch with the full rate."""
    tuned = trained("finetune", f"model.init_from={halves(seed).path.name}", f"seed={seed}")
    scratch = trained("finetune", f"seed={seed}")
    full_rate = trained("finetune", "model.backbone_lr=1", f"seed={seed}")
    assert tuned.trainer.data.classes == scratch.trainer.data.classes == tuple("56789")
    assert tuned.trainer.data.sizes == {"train": 100, "val": 300, "test": 180}
    assert [event["epoch"] for event in tuned.of("epoch")] == [1, 2, 3]
    assert final_accuracy(tuned) > final_accuracy(scratch) + 0.05
    assert final_accuracy(tuned) > final_accuracy(full_rate)


def test_frozen_weights_stay_and_a_smaller_rate_moves_less(trained, halves):
    source = halves(0, "epochs=3")
    start = f"model.init_from={source.path.name}"
    frozen = trained("finetune", start, 'model.freeze=["conv*", "bn*"]')
    before, after = source.checkpoint("best")["model"], frozen.checkpoint("last")["model"]
    parameters = dict(frozen.trainer.model.named_parameters())
    kept = [name for name, parameter in parameters.items() if not parameter.requires_grad]
    assert {name.partition(".")[0] for name in kept} == {"conv1", "bn1", "conv2", "bn2"}
    assert len(kept) == 8
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert moved(frozen, source, "fc1.weight") > 0
    slow = trained("finetune", start, "model.backbone_lr=0.01")
    rates = {group["name"]: group["lr"] for group in slow.trainer.optimizer.param_groups}
    assert rates == pytest.approx({"head": 2e-3, "backbone": 2e-5})
    fast = trained("finetune", start, "model.backbone_lr=1")
    assert 0 < moved(slow, source, "conv1.weight") < 0.1 * moved(fast, source, "conv1.weight")


def test_finetune_as_a_person_runs_it(tmp_path):
    """From the newest run by `last`; the record says which that was, as a path."""
    first = train("--preset", "digits", "--set", "epochs=1", "--set", FIRST_HALF, cwd=tmp_path)
    ended = train("--preset", "finetune", "--set", "model.init_from=last", cwd=tmp_path)
    (source,), (finished,) = first.of("finished"), ended.of("finished")
    config = (tmp_path / "runs" / finished["run"] / "config.toml").read_text()
    assert source["run"] in config
    assert finished["classes"] == ["5", "6", "7", "8", "9"]
