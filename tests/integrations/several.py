"""Run by torch.distributed.run in two processes: `several.py hugging_face|lightning DIR`."""

import sys
from pathlib import Path

import msgspec
import torch
from torch import distributed

HERE = Path(__file__).parent
SAYS = {
    2: ["lr x2"],
    3: ["pause", "next 1"],
    4: ["resume", "optimizer sgd lr=0.05 momentum=0.9"],
    5: ["evaluate"],
    6: ["checkpoint", "set weight_decay 0.3"],
    9: ["stop"],
}


def train(library: str, folder: Path) -> None:
    """What each update used, and a sum of the weights, in folder/RANK.json."""
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    from support.other_loops import Person

    person = Person()
    if library == "lightning":
        import test_lightning as tests

        trained = tests.fit(folder, person, devices=2, strategy="ddp")[1]
    else:
        import test_hugging_face as tests

        made = tests.trainer(folder, person, gradient_accumulation_steps=1)
        made.train()
        trained = made.model
    total = sum(float(value.double().abs().sum()) for value in trained.state_dict().values())
    text = msgspec.json.encode({"used": person.used, "weights": total})
    (folder / f"{distributed.get_rank()}.json").write_bytes(text)


def speak_first() -> None:
    """Only the first process has a console, and somebody at it."""
    from support import other_loops

    speak = other_loops.Person.speak

    def spoken(self: other_loops.Person, update: int) -> None:
        if distributed.get_rank() == 0:
            self.says = SAYS
            speak(self, update)

    other_loops.Person.speak = spoken  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    torch.set_num_threads(1)
    speak_first()
    train(sys.argv[1], Path(sys.argv[2]))
