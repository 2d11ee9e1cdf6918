"""Scripts that call nothing of ours, below `trainconsole run`: what they do is as it was, and on record."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.hosting import Hosts, events, until
from support.process import PATIENCE, Ended, command, environment, only_run, trainconsole

from trainconsole.engine.record.metric_rows import ROW
from trainconsole.engine.transport import registry

MLP = """
import hashlib, json, sys
import torch
from torch import nn
torch.manual_seed(0)
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.7)
def batch():
    x = torch.randn(16, 4)
    return x, (x.sum(1) > 0).long()
def tell(**values):
    print(json.dumps(values), flush=True)
"""
LOOP = """
for step in range(int(sys.argv[1])):
    x, y = batch()
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    tell(loss=loss.item(), lr=optimizer.param_groups[0]["lr"])
    optimizer.step()
    scheduler.step()
"""
SUM = """
tell(sum=hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
"""


def written(folder: Path, *parts: str, name: str = "train.py") -> Path:
    file = folder / name
    file.write_text("".join(parts))
    return file


def plain(folder: Path, *args: str) -> list[dict[str, Any]]:
    argv, env = [sys.executable, *args], environment()
    return said(subprocess.check_output(argv, cwd=folder, env=env, text=True, timeout=PATIENCE))


def run(folder: Path, *args: str, options: tuple[str, ...] = (), **env: str) -> Ended:
    return trainconsole("run", "--no-ui", *options, "--", *args, cwd=folder, **env)


def said(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def rows(run: Path) -> Any:
    return np.fromfile(run / "metrics.bin", dtype=ROW)


def at(*commands: str) -> tuple[str, ...]:
    return tuple(part for command in commands for part in ("--at", command))


def test_a_script_that_is_only_watched_does_what_it_does_and_all_of_it_is_on_record(tmp_path: Path) -> None:
    written(tmp_path, MLP, LOOP, SUM)
    expected = plain(tmp_path, "train.py", "30")
    ended = run(tmp_path, sys.executable, "train.py", "30", options=("--grad-norm",))
    assert (ended.code, ended.err) == (0, "")
    assert said(ended.out) == expected
    found, told = rows(only_run(tmp_path)), expected[:-1]
    assert found["loss"].tolist() == [np.float32(line["loss"]) for line in told]
    assert found["lr"].tolist() == [np.float32(line["lr"]) for line in told]
    assert found["step"].tolist() == [*range(1, 31)]
    assert np.isfinite(found["grad_norm"]).all()
    assert [event["type"] for event in events(only_run(tmp_path))] == ["started", "finished"]


def test_a_scheduler_of_the_scripts_own_is_never_touched_by_a_rate_that_is(tmp_path: Path) -> None:
    """Nor is what it prints of its rate; twice as fast and back is where it would be."""
    written(tmp_path, MLP, LOOP)
    expected = [line["lr"] for line in plain(tmp_path, "train.py", "20")]
    ended = run(tmp_path, sys.executable, "train.py", "20", options=at("step 4: lr x2", "step 8: lr x0.5"))
    assert [line["lr"] for line in said(ended.out)] == expected
    steered = [rate * (2 if 4 <= step < 8 else 1) for step, rate in enumerate(expected)]
    assert rows(only_run(tmp_path))["lr"].tolist() == [np.float32(rate) for rate in steered]


GAN = """
import json
import torch
from torch import nn
torch.set_num_threads(1)
class Generator(nn.Linear): pass
class Critic(nn.Linear): pass
def main():
    generator, critic = Generator(2, 2), Critic(2, 1)
    paint = torch.optim.SGD(generator.parameters(), lr=0.02)
    judge = torch.optim.Adam(critic.parameters(), lr=0.001)
    for step in range(12):
        real, fake = torch.randn(8, 2), generator(torch.randn(8, 2))
        judge.zero_grad()
        first = critic(fake.detach()).mean() - critic(real).mean()
        first.backward()
        judge.step()
        second = -critic(fake).mean()
        paint.zero_grad()
        second.backward()
        paint.step()
        print(json.dumps({"first": first.item(), "second": second.item()}))
main()
"""


def test_two_optimizers_are_one_step_and_each_has_its_name(tmp_path: Path) -> None:
    written(tmp_path, GAN)
    commands = at(
        "step 3: lr paint x0.5", "step 3: lr nobody 1", "step 4: undo", "step 5: set weight_decay 0.1"
    )
    ended = run(tmp_path, sys.executable, "train.py", options=(*commands, *at("step 9: stop")))
    assert ended.code == 0
    told, record = said(ended.out), events(only_run(tmp_path))
    assert len(told) == 9
    assert rows(only_run(tmp_path))["loss"].tolist() == [np.float32(line["first"]) for line in told]
    answers = {event["command"]: event for event in record if "command" in event}
    assert answers["lr paint x0.5"]["before"] == {"lr paint": 0.02}
    assert answers["lr paint x0.5"]["after"] == {"lr paint": 0.01}
    assert "judge, paint" in answers["lr nobody 1"]["reason"]
    assert "trainconsole.attach(" in answers["undo"]["reason"]
    assert answers["set weight_decay 0.1"]["after"] == {"weight_decay": 0.1}
    assert "Generator (Generator, 6 parameters), Critic" in record[-1]["note"]
    assert record[-1]["reason"] == "stopped"
    saved = torch.load(only_run(tmp_path) / "checkpoints" / "last.pt", weights_only=True)
    assert {*saved["model"]} == {"Generator.weight", "Generator.bias", "Critic.weight", "Critic.bias"}
    assert saved["objects"]["judge"]["param_groups"][0]["lr"] == 0.001


HARD = """
from torch.utils.data import DataLoader, TensorDataset
x = torch.randn(64, 4)
loader = DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), batch_size=8, num_workers=2)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for number, (x, y) in enumerate(loader):
    loss = nn.functional.cross_entropy(model(x), y)
    scaler.scale(loss).backward() if number < 4 else (scaler.scale(loss) / 2).backward()
    tell(loss=loss.item() / (1 if number < 4 else 2))
    if number % 2:
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
solver = torch.optim.LBFGS(model[0].parameters(), lr=0.1, max_iter=4)
x, y = batch()
losses = []
def closure():
    solver.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    losses.append(loss.item())
    return loss
for _ in range(2):
    solver.step(closure)
    tell(loss=losses[-1])
"""


def test_scaled_and_accumulated_losses_closures_and_loading_processes(tmp_path: Path) -> None:
    written(tmp_path, MLP, HARD)
    ended = run(tmp_path, sys.executable, "train.py")
    assert (ended.code, ended.err) == (0, "")
    losses = [line["loss"] for line in said(ended.out)]
    pairs = [np.mean(losses[at : at + 2]) for at in range(0, 8, 2)]
    np.testing.assert_allclose(rows(only_run(tmp_path))["loss"], [*pairs, *losses[8:]], rtol=1e-6)


def test_commands_from_another_terminal(hosts: Hosts, tmp_path: Path) -> None:
    """To the one process of a shell script that trains. A kill leaves a record, and no way back into it."""
    written(tmp_path, MLP, LOOP)
    lines = (f"{sys.executable} -c 'import torch'", f"{sys.executable} train.py 100000000")
    written(tmp_path, "\n".join(lines), name="train.sh")
    process = hosts.spawn(*command("run", "--no-ui", "--", "bash", "train.sh"))
    path, pid = live(hosts, tmp_path)
    assert path.name.endswith("_train")
    for what, code in (("lr x0.5", 0), ("pause", 0), ("next 3", 0), ("rewind best", 1), ("resume", 0)):
        assert trainconsole("ctl", path.name, *what.split(), cwd=tmp_path).code == code, what
    os.kill(pid, signal.SIGKILL)
    assert process.wait(PATIENCE) == 137
    assert {"command_applied", "paused", "resumed"} <= {event["type"] for event in events(path)}
    (row,) = json.loads(trainconsole("runs", "--json", cwd=tmp_path).out)
    assert row["status"] != "training"
    for verb in ("resume", "replay"):
        refused = trainconsole(verb, path.name, "--no-ui", cwd=tmp_path)
        assert refused.code == 2
        assert "trainconsole.attach(" in refused.err


MODULE = """
import atexit, os
atexit.register(print, "at exit")
tell(path=os.environ.get("PYTHONPATH"), ours=[one for one in sys.path if one.endswith("startup")])
try:
    exec(LOOP)
finally:
    print("cleaned")
"""


def test_stop_ends_a_module_with_code_0_after_its_own_cleaning_up(hosts: Hosts, tmp_path: Path) -> None:
    """A sitecustomize of the user's own was there, and nothing of ours is to be seen."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "mine").mkdir()
    written(tmp_path / "mine", "print('mine')\n", name="sitecustomize.py")
    written(tmp_path / "pkg", MLP, f"LOOP = {LOOP!r}\n", MODULE)
    argv = command("run", "--no-ui", "--", sys.executable, "-m", "pkg.train", "100000000")
    process = hosts.spawn("env", f"PYTHONPATH={tmp_path / 'mine'}", *argv)
    path, _ = live(hosts, tmp_path)
    assert trainconsole("stop", path.name, cwd=tmp_path).code == 0
    assert process.wait(PATIENCE) == 0
    lines = (tmp_path / "out").read_text(encoding="utf-8").splitlines()
    assert lines.count("mine") == 2, "once in the process of trainconsole run, once in the script's"
    assert json.loads(lines[2])["ours"] == []
    assert lines[-2:] == ["cleaned", "at exit"]
    assert "saved in checkpoints/last.pt: model (Sequential" in events(path)[-1]["note"]


def live(hosts: Hosts, folder: Path) -> tuple[Path, int]:
    """The run that trains in `folder`, once it has a row, and its process."""

    def found() -> Any:
        return next((entry for entry in registry.live() if Path(entry.run).parent.parent == folder), None)

    entry = until(found, "live host")
    hosts.pids.append(entry.pid)
    path = Path(entry.run)
    until(lambda: (path / "metrics.bin").exists() and len(rows(path)), "row")
    return path, entry.pid


ATTACHES = """
import trainconsole
before = torch.autograd.backward
from torch.optim.optimizer import _global_optimizer_pre_hooks as pre
if "late" in sys.argv:
    exec(LOOP)
run = trainconsole.attach(model=model, optimizer=optimizer)
tell(hooks=len(pre), wrapped=hasattr(torch.autograd.backward, "__wrapped__"))
for _ in range(5):
    run.boundary()
    x, y = batch()
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    run.log(loss=loss)
    optimizer.step()
run.boundary()
"""


@pytest.mark.parametrize("when", ["early", "late"])
def test_whoever_attaches_is_not_watched_any_more(tmp_path: Path, when: str) -> None:
    written(tmp_path, MLP, f"LOOP = {LOOP!r}\n", ATTACHES)
    ended = run(tmp_path, sys.executable, "train.py", "5", when)
    assert ended.code == 0, ended.err
    assert {"hooks": 0, "wrapped": False} in said(ended.out)
    runs = sorted((tmp_path / "runs").iterdir(), key=lambda path: path.stat().st_mtime)
    assert len(runs) == (1 if when == "early" else 2)
    tasks = {json.loads((path / "meta.json").read_text())["task"] for path in runs}
    assert tasks == ({"own"} if when == "early" else {"own", "unchanged"})
    assert all(events(path)[-1]["type"] == "finished" and len(rows(path)) == 5 for path in runs)


@pytest.mark.parametrize("off", [False, True])
def test_what_fails_fails_as_it_would(tmp_path: Path, off: bool) -> None:
    written(tmp_path, MLP, LOOP, "\nraise ValueError('no more')\n")
    ended = run(tmp_path, sys.executable, "train.py", "3", **({"TRAINCONSOLE": "off"} if off else {}))
    assert ended.code == 1
    assert "ValueError: no more" in ended.err
    if off:
        assert not [*(tmp_path / "runs").iterdir()]
    else:
        last = events(only_run(tmp_path))[-1]
        assert (last["type"], last["reason"]) == ("failed", "ValueError: no more")


def test_what_never_trains_leaves_nothing_but_its_exit_code(tmp_path: Path) -> None:
    ended = run(tmp_path, sys.executable, "-c", "import torch; print('hello'); raise SystemExit(7)")
    assert (ended.code, ended.out) == (7, "hello\n")
    assert "no step of a torch optimizer was seen" in ended.err
    assert not [*(tmp_path / "runs").iterdir()]
