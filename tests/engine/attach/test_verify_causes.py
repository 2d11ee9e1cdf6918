"""What is said of what was seen, without a script: where passes part, what is put back, what is digested."""

import random
from collections import deque
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import nn

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.run import Script
from trainconsole.engine.runs import verdicts
from trainconsole.engine.verify import record
from trainconsole.engine.verify.causes import needs_another, verdict
from trainconsole.engine.verify.comparing import difference
from trainconsole.engine.verify.digests import digest
from trainconsole.engine.verify.kept import kept, moved_from
from trainconsole.engine.verify.plan import Again, Undone, passes
from trainconsole.engine.verify.record import Moment, Part, Pass, Verification


def moment(step: int, **changed: object) -> Moment:
    made = Moment(
        step=step, batches=("b",), logged={"loss": "1"}, rates={"optimizer": "r"}, states={"model": "m"}
    )
    return replace(made, **changed)


def made(*moments: Moment, start: str = "s") -> Pass:
    return Pass(start={"model": start, "random.torch": "t"}, moments=moments or (moment(4), moment(5)))


FIRST = made()
SEEN = Verification(asked=2, first=FIRST, undone=FIRST, resumed=FIRST)
LOSS = made(moment(4), moment(5, logged={"loss": "2"}, states={"model": "n"}))
LATER = made(moment(4), moment(5, logged={"loss": "3"}, states={"model": "o"}))


def test_the_first_of_what_differs_is_named() -> None:
    assert difference(FIRST, FIRST, 3) is None
    for other, what, step in (
        (made(start="other"), "start", 3),
        (made(moment(4), moment(5, batches=("c",), logged={})), "batches", 5),
        (LOSS, "logged", 5),
        (made(moment(4, rates={"optimizer": "q"}, states={}), moment(5)), "rates", 4),
        (made(moment(4)), "length", 5),
    ):
        found = difference(FIRST, other, 3)
        assert found is not None
        assert (found.what, found.step) == (what, step)


def test_what_is_exact_needs_no_other_process() -> None:
    found = verdict(SEEN)
    assert (found.exact, found.short, found.remedies) == (True, "measured exact", ())
    assert not needs_another(SEEN)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (replace(SEEN, undone=LOSS, third=LOSS), "how often something was called"),
        (replace(SEEN, undone=LOSS, third=LATER), "not deterministic"),
        (replace(SEEN, undone=LOSS, third=LOSS, ahead=1), "one batch more was given"),
        (replace(SEEN, undone=made(start="x")), "load_state_dict() does not bring back all"),
        (
            replace(SEEN, undone=made(moment(4), moment(5, logged={"ms": "9", "loss": "1"}))),
            "only what is logged",
        ),
        (replace(SEEN, undone=None, refused="no way"), "undo: not measured, resume: exact\nundo: no way"),
        (replace(SEEN, resumed=LOSS, again=FIRST), "order of a set"),
        (replace(SEEN, resumed=LOSS, again=LOSS), "two new processes agree"),
        (replace(SEEN, resumed=LOSS, again=LATER), "drawn anew at the start"),
        (replace(SEEN, resumed=None), "the new process did not get there"),
        (
            replace(SEEN, undone=LOSS, third=LATER, parts=(Part(name="n", kind="number", type="int"),)),
            "`n` (int) is not registered",
        ),
    ],
)
def test_a_cause_is_what_the_evidence_says(seen: Verification, said: str) -> None:
    found = verdict(seen)
    assert said in found.told
    assert not found.exact


def test_parts_are_left_out_until_those_are_left_that_it_takes() -> None:
    names = tuple("abcdefghij")
    asked: list[Again] = []
    plan = passes(FIRST, names)
    asked.append(next(plan))
    done: Undone | None = None
    while done is None:
        exact = {"c", "h"} <= {*asked[-1].put_back}
        try:
            asked.append(plan.send(FIRST if exact else LATER if asked[1:] else LOSS))
        except StopIteration as ended:
            done = ended.value
    assert asked[:3] == [Again(), Again(), Again(names)]
    assert (done.needed, len(asked) < 20) == (("c", "h"), True)


def test_what_was_kept_is_put_back_into_the_same_objects() -> None:
    model, tensor, array = nn.Linear(2, 2), torch.zeros(2), np.zeros(2)
    numpy, python, own = np.random.default_rng(1), random.Random(1), torch.Generator()
    things = [
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        {"tensor": tensor, "list": [1, [array]]},
        deque([1, 2], maxlen=2),
        {"a"},
        (tensor, 1),
        numpy,
        python,
        own,
    ]
    before, puts = [moved_from(thing) for thing in things], [kept(thing) for thing in things]
    with torch.no_grad():
        model.weight.add_(1)
    tensor += 1
    array += 1
    things[2]["list"].append(3)  # type: ignore[index]
    things[3].append(3)  # type: ignore[attr-defined]
    things[4].clear()  # type: ignore[attr-defined]
    numpy.normal(), python.random(), torch.rand(1, generator=own)
    assert [moved_from(thing) for thing in things][2:] != before[2:]
    assert all(put() is thing for put, thing in zip(puts, things, strict=True))
    assert [moved_from(thing) for thing in things] == before
    assert repr(kept(count(3))()) == "count(3)"


def test_a_digest_is_of_the_bits_and_of_no_order() -> None:
    one = {"a": torch.tensor([1.0, 2.0]), "b": {3, 4}}
    assert digest(one) == digest({"b": {4, 3}, "a": torch.tensor([1.0, 2.0])})
    assert digest(one) != digest({**one, "a": torch.tensor([1.0, 2.0000002])})
    assert digest((1, 2.0)) == digest([1, np.float64(2.0)]) != digest([1, 2])
    assert digest(torch.zeros(2)) != digest(torch.zeros(2, 1)) != digest(torch.zeros(2, 1).half())
    assert digest(torch.arange(6).view(2, 3).T) == digest(torch.arange(6).view(2, 3).T.contiguous())
    assert digest(float("nan")) == digest(float("nan"))


def test_a_verdict_is_of_a_script_as_it_is() -> None:
    script = Script(command=("python", "train.py"), cwd="/x", file="/x/train.py", sha256="1")
    assert verdicts.told(script) == "not measured: trainconsole verify -- python train.py"
    verdicts.remember(script, "measured exact")
    assert verdicts.told(script) == "measured exact"
    assert verdicts.verdict(replace(script, sha256="2")) is None


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    assert record.read(tmp_path) is None
    record.write(tmp_path, SEEN)
    assert record.read(tmp_path) == SEEN
    (tmp_path / record.FILE).write_text("{}")
    with pytest.raises(UserError, match="cannot be read"):
        record.read(tmp_path)
