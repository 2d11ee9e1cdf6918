"""torch's, numpy's and Python's generators: seeded before a user's code, kept in states, put back."""

import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from support.resuming import go_on, live, repeated, start
from support.running import Ran, run, run_config

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.runs import fingerprints
from trainconsole.engine.runs.replay import compare, recipe
from trainconsole.engine.tensors.random_state import (
    generators_kept,
    random_state,
    seed_generators,
    set_random_state,
)

CPU = torch.device("cpu")

DRAWS = """
import random
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset, random_split

def torchs(): return torch.randn(60, 4), torch.randint(0, 2, (60,))
def numpys(): return np.random.normal(size=(60, 4)), np.random.randint(0, 2, 60)
def pythons(): return torch.tensor([[random.gauss(0, 1) for _ in range(4)] for _ in range(60)]), \\
    torch.tensor([random.randrange(2) for _ in range(60)])
def parted():
    whole = TensorDataset(torch.arange(240.).reshape(60, 4), torch.arange(60) % 2)
    return random_split(whole, [40, 10, 10])

ONCE = torch.randn(2, 4) * 0.1

class Init(nn.Linear):
    def __init__(self):
        super().__init__(4, 3)
        with torch.no_grad():
            self.weight.add_(torch.tensor(np.random.normal(size=(3, 4))) + random.random() + ONCE.sum())

class Noise(nn.Linear):
    def __init__(self):
        super().__init__(4, 3)
    def forward(self, x):
        if self.training:
            x = x * (1 + 0.5 * np.random.normal() + 0.5 * random.random() + 0.1 * torch.rand(()))
        return super().forward(x)

def noisy_loss():
    scale = 1 + np.random.rand()
    return lambda o, t: F.cross_entropy(o, t) * scale

class Noisy(torch.optim.SGD):
    def __init__(self, params, lr):
        super().__init__(params, lr * (1 + random.random()))
"""


def draw() -> list[float]:
    """From each, also what a pair of normal draws keeps for the next call."""
    return [float(torch.rand(())), np.random.normal(), random.gauss(0, 1), random.random()]


def scramble(number: int) -> None:
    """As another process would find them."""
    torch.manual_seed(number)
    np.random.seed(number)
    random.seed(number)
    draw()


# --- a state ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 7, 2**32, 2**63 - 1])
def test_a_seed_is_of_all_three(seed: int) -> None:
    seed_generators(seed)
    first = draw()
    scramble(3)
    seed_generators(seed)
    assert draw() == first


def test_a_state_comes_back_through_a_checkpoint_file(tmp_path: Path) -> None:
    scramble(5)
    checkpoint.save(tmp_path, "state.pt", "link", {"format": 1, "random": random_state(CPU)})
    ahead = [draw() for _ in range(400)]
    scramble(6)
    set_random_state(checkpoint.load(tmp_path / "state.pt")["random"], CPU)
    assert [draw() for _ in range(400)] == ahead


def test_kept_generators_stand_where_they_stood() -> None:
    scramble(8)
    ahead = draw()
    scramble(8)
    with generators_kept():
        draw()
    assert draw() == ahead


def test_a_state_of_an_earlier_version_has_torchs_alone() -> None:
    scramble(9)
    torch_alone = {"cpu": torch.get_rng_state()}
    ahead = float(torch.rand(()))
    set_random_state(torch_alone, CPU)
    assert float(torch.rand(())) == ahead


def test_numpys_own_choice_of_another_generator_is_left_to_the_user() -> None:
    before = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.PCG64(1))
    try:
        state = random_state(CPU)
        assert state["numpy"] == {}
        set_random_state(state, CPU)
    finally:
        np.random.set_bit_generator(before)


# --- a run ------------------------------------------------------------------------------------------------

WAYS = {
    "a data function that draws from torch": "data.name={}:torchs",
    "from numpy": "data.name={}:numpys",
    "from random": "data.name={}:pythons",
    "random_split": "data.name={}:parted",
    "a model's initial weights": "model.name={}:Init",
    "a model that draws in training": "model.name={}:Noise",
    "a loss": "loss.name={}:noisy_loss",
    "an optimizer": "optimizer.name={}:Noisy",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_one_seed_gives_the_same_weights_wherever_the_generators_stood(
    own_code: Callable[[str], str], tmp_path: Path, way: str
) -> None:
    """Another module of the same text each time: imported anew, as by another process."""
    digests = []
    for number in (1, 2):
        scramble(number)
        chosen = way.format(own_code(DRAWS))
        digests.append(run(tmp_path, "iris", chosen, "epochs=1").last["weights_sha256"])
    assert digests[0] == digests[1]


def test_a_draw_from_any_of_them_goes_on_where_it_was(own_code: Callable[[str], str], tmp_path: Path) -> None:
    """After a resume, an undo, and a rewind to a step that only step 0 stands before."""
    noise = f"model.name={own_code(DRAWS)}:Noise"
    plain = run(tmp_path, "iris", noise)
    first = live(start(tmp_path, "iris", noise), after={8: ["checkpoint"]}, dies=11)
    scramble(4)
    assert live(go_on(first)).last["weights_sha256"] == plain.last["weights_sha256"]
    back = run(tmp_path, "iris", noise, after={7: ["lr 0.5"], 9: ["undo", "rewind step 3"]})
    assert back.rejected == []
    assert back.last["weights_sha256"] == plain.last["weights_sha256"]


# --- data that changed ------------------------------------------------------------------------------------

COUNTED = """
import torch
from pathlib import Path
def part(rows):
    g = torch.Generator().manual_seed(rows)
    return torch.randn(rows, 4, generator=g), torch.arange(rows) % 2
def load():
    sizes = [int(n) for n in Path({0!r}).read_text().split()]
    return tuple(part(rows) for rows in sizes)
"""


@pytest.fixture
def counted(own_code: Callable[[str], str], tmp_path: Path) -> tuple[str, Path]:
    """A data function whose parts have as many rows as a file says."""
    file = tmp_path / "sizes"
    file.write_text("48 12 13")
    return f"data.name={own_code(COUNTED.format(str(file)))}:load", file


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ("49 12 13", "the training data"),
        ("48 14 13", "the validation data"),
        ("48 12 15", "the test data"),
        ("50 12 15", "the training and test data"),
        ("50 14 15", "the training, validation and test data"),
    ],
)
def test_a_resume_and_a_replay_say_which_part_changed(
    counted: tuple[str, Path], tmp_path: Path, sizes: str, words: str
) -> None:
    data, file = counted
    ran = live(start(tmp_path, "iris", data), after={3: ["checkpoint"]}, dies=5)
    done = run(tmp_path, "iris", data, "epochs=1")
    file.write_text(sizes)
    again: Ran = live(go_on(ran))
    assert any(event["why"].startswith(f"{words} is not what it was") for event in again.of("warning"))
    wanted = recipe(done.path)
    second = run_config(tmp_path / "again", wanted.config)
    same, text = compare(done.path, second.path, wanted)
    assert same is ("training" not in words)
    assert same or text.startswith(f"{words} is not what it was in {done.path.name}\ndifferent: ")


def test_a_replay_says_so_before_it_trains(counted: tuple[str, Path], tmp_path: Path) -> None:
    data, file = counted
    ran = run(tmp_path, "iris", data, "epochs=1")
    file.write_text("48 12 15")
    again = repeated(ran, tmp_path / "again")
    assert again.of("warning")[0]["why"] == "the test data is not what it was in the run that is repeated"
    assert again.events[1]["type"] == "warning"


def test_a_record_of_an_earlier_version_knows_no_parts(plain_run: Ran) -> None:
    now = msgspec.json.decode((plain_run.path / "meta.json").read_bytes())["data"]
    earlier = {"fingerprint": now["fingerprint"]}
    assert fingerprints.changed(earlier, now) == ""
    assert fingerprints.changed({"fingerprint": "0" * 64}, now) == "the data"
    assert fingerprints.changed({**now, "fingerprint": "0" * 64}, now) == "the data"
