"""A line of events.jsonl that cannot be read costs that line: for who looks, goes on, or repeats."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.resuming import go_on, live, repeated, start
from support.running import Ran, run

from trainconsole.engine.protocol.commands import Interrupt
from trainconsole.engine.protocol.events import CommandApplied, Finished, Unread
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.journal import LONGEST, Journal
from trainconsole.engine.record.last_events import last_words
from trainconsole.engine.runs import branches
from trainconsole.engine.runs.replay import recipe

Harm = Callable[[bytes], bytes]


def lines(path: Path) -> list[bytes]:
    return (path / "events.jsonl").read_bytes().splitlines(keepends=True)


def told(path: Path, *kinds: str) -> list[dict[str, Any]]:
    """What can be read, as another program would."""
    found: list[dict[str, Any]] = []
    for line in lines(path):
        with suppress(ValueError, RecursionError):
            found.append(json.loads(line))
    return [event for event in found if event.get("type") in kinds or (event and not kinds)]


def damage(path: Path, which: Callable[[dict[str, object]], bool], harm: Harm = lambda line: b"{}") -> int:
    """The number of the first line that `which` fits, from 1, which is no event any more."""
    kept = lines(path)
    at = next(n for n, line in enumerate(kept) if which(json.loads(line)))
    kept[at] = harm(kept[at].rstrip(b"\n")) + b"\n"
    (path / "events.jsonl").write_bytes(b"".join(kept))
    return at + 1


def is_a(kind: str, **fields: object) -> Callable[[dict[str, object]], bool]:
    return lambda event: event["type"] == kind and all(event[key] == value for key, value in fields.items())


HARMS: dict[str, Harm] = {
    "empty": lambda line: b"",
    "no JSON": lambda line: line[:-9],
    "zeros": lambda line: b"\0" * 4096,
    "not UTF-8": lambda line: line.replace(b'"lr x0.5"', b'"\xff\xfe"'),
    "nested": lambda line: b"[" * 100_000 + b"]" * 100_000,
    "nested where it is not known": lambda line: (
        line[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ),
    "a wrong type": lambda line: line.replace(b'"step":6', b'"step":"six"'),
    "a number out of all bounds": lambda line: line.replace(b'"step":6', b'"step":1e400'),
    "below zero": lambda line: line.replace(b'"step":6', b'"step":-6'),
    "a key missing": lambda line: line.replace(b'"step":6,', b""),
    "no object": lambda line: b"7",
    "no command": lambda line: line.replace(b'"lr x0.5"', b'" "'),
}


@pytest.fixture(scope="module", autouse=True)
def unhurried() -> Iterator[None]:
    """A slow disk puts no command off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainconsole.engine.boundary.command_queue.LONGEST", 1e9)
        yield


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Killed at step 16, with a checkpoint at 9: commands at 6, at 9 after it, and at 12."""
    launch = start(tmp_path_factory.mktemp("cut"), "iris")
    after = {6: ["lr x0.5"], 9: ["checkpoint", "batch 8"], 12: ["set l1 0.001"]}
    return live(launch, after=after, dies=16)


@pytest.fixture
def copied(cut_off: Ran, tmp_path: Path) -> Ran:
    path = tmp_path / cut_off.path.name
    shutil.copytree(cut_off.path, path, symlinks=True)
    return Ran(path, cut_off.launch, cut_off.trainer, cut_off.status, cut_off.heard)


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_it_stands_where_the_event_stood(copied: Ran, harm: Harm) -> None:
    before = run_directory.read_events(copied.path)[0]
    number = damage(copied.path, is_a("command_applied", command="lr x0.5"), harm)
    journal = Journal(copied.path)
    events = journal.read()
    assert len(events) == len(before)
    unread = events[number - 1]
    assert isinstance(unread, Unread)
    assert unread.why.startswith(f"line {number} of events.jsonl cannot be read: ")
    assert (unread.line, unread.leads, unread.seq, unread.branch) == (number, True, number - 1, 0)
    assert [e for e in events if e is not unread] == [e for e in before if e.seq != number - 1]
    assert journal.next_seq == before[-1].seq + 1


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_line_beyond_all_bounds_is_passed_over_in_pieces(
    copied: Ran, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainconsole.engine.record.journal.LONGEST", 2000)
    monkeypatch.setattr("trainconsole.engine.record.journal.PIECE", piece)
    number = damage(copied.path, is_a("checkpoint"), lambda line: line[:-1] + b" " * 3000 + b"}")
    journal, events = Journal(copied.path), []
    while not journal.exhausted:
        events += journal.read(most=piece)
    unread = [event for event in events if isinstance(event, Unread)]
    assert [event.line for event in unread] == [number]
    assert "longer than" in unread[0].why
    assert journal.offset == (copied.path / "events.jsonl").stat().st_size
    assert LONGEST > 2000


def test_what_is_of_a_later_version_is_passed_over(copied: Ran) -> None:
    count = len(run_directory.read_events(copied.path)[0])
    with open(copied.path / "events.jsonl", "ab") as file:
        file.write(b'{"type":"raced","step":16,"branch":0,"seq":%d,"time":1.0}\n' % count)
    journal = Journal(copied.path)
    assert len(journal.read()) == count
    assert journal.next_seq == count + 1


def test_a_resume_takes_the_checkpoint_at_its_word_and_says_so(copied: Ran, tmp_path: Path) -> None:
    """The damaged command stands in the checkpoint: nothing is lost, and the run can be repeated exactly."""
    number = damage(copied.path, is_a("command_applied", command="lr x0.5"))
    count = len(lines(copied.path))
    again = live(go_on(copied))
    resumed = told(again.path, "resumed_run")[0]
    assert resumed["checkpoint"] == "checkpoints/last-b0-s000009.pt"
    whys = [event["why"] for event in told(again.path, "warning")]
    assert whys[0].startswith(f"line {number} of events.jsonl cannot be read")
    assert any("a command may have stood there" in why for why in whys)
    assert told(again.path)[-1]["lineage"] == [[6, "lr x0.5"], [9, "batch 8"], [12, "set l1 0.001"]]
    assert (
        [event["seq"] for event in again.events if "seq" in event][-1] == len(lines(copied.path)) - 1 > count
    )
    assert (
        repeated(again, tmp_path / "again").last["weights_sha256"] == told(again.path)[-1]["weights_sha256"]
    )


def test_a_replay_goes_as_far_as_all_is_known(copied: Ran, tmp_path: Path) -> None:
    number = damage(copied.path, is_a("command_applied", command="batch 8"))
    wanted = recipe(copied.path)
    assert [command.what for command in wanted.config.commands] == ["lr x0.5", "stop last"]
    assert f"line {number} " in wanted.warnings[0]
    assert "up to step 9 only" in wanted.warnings[1]
    assert repeated(copied, tmp_path / "again").last["weights_sha256"] == wanted.weights_sha256


def test_where_nothing_is_known_for_certain_a_replay_is_refused(copied: Ran) -> None:
    damage(copied.path, is_a("command_applied", command="lr x0.5"))
    with pytest.raises(run_directory.UserError, match="is not all known") as refused:
        recipe(copied.path)
    assert len(str(refused.value).splitlines()) == 2


def test_the_end_of_a_run_holds_all_that_led_to_it(tmp_path: Path) -> None:
    ran = run(tmp_path, after={6: ["lr x0.5"], 9: ["batch 8"]})
    damage(ran.path, is_a("command_applied", command="lr x0.5"))
    wanted = recipe(ran.path)
    assert [command.what for command in wanted.config.commands] == ["lr x0.5", "batch 8"]
    assert len(wanted.warnings) == 1


def test_a_branch_whose_beginning_cannot_be_read_goes_on(tmp_path: Path) -> None:
    launch = start(tmp_path, "iris")
    first = live(launch, after={6: ["lr x0.5"], 9: ["undo", "checkpoint"], 12: ["batch 8"]}, dies=16)
    damage(first.path, is_a("branched"))
    events = run_directory.read_events(first.path)[0]
    assert branches.live(events) == 1
    rows = branches.in_force(run_directory.read_rows(first.path), events)
    assert set(rows["branch"].tolist()) == {1}
    again = live(go_on(first))
    assert told(again.path, "branched")[-1]["parent"] == 1
    assert told(again.path)[-1]["lineage"] == [[12, "batch 8"]]
    assert any("cannot be read" in event["why"] for event in told(again.path, "warning"))


@pytest.mark.parametrize("parent", [1, 2, 9])
def test_a_branch_cannot_be_its_own_parent_nor_that_of_one_that_is_not_there(
    tmp_path: Path, parent: int
) -> None:
    launch = start(tmp_path, "iris")
    first = live(launch, after={6: ["lr x0.5"], 9: ["undo"]}, dies=16)
    damage(first.path, is_a("branched"), lambda line: line.replace(b'"parent":0', b'"parent":%d' % parent))
    events = run_directory.read_events(first.path)[0]
    (unread,) = [event for event in events if isinstance(event, Unread)]
    assert f"branch 1 cannot begin on branch {parent}" in unread.why
    assert len(branches.in_force(run_directory.read_rows(first.path), events))


@pytest.mark.parametrize("field", ['"value":null', '"value":0.5'])
def test_null_is_taken_where_a_number_was_not_finite(tmp_path: Path, field: str) -> None:
    """A record of old has an infinite best."""
    ran = run(tmp_path, after={3: ["lr x0.5"]})
    kept = b"".join(lines(ran.path)).decode()
    best = json.loads(kept.splitlines()[-1])["best"]
    kept = kept.replace(f'"value":{json.dumps(best["value"])}', field)
    kept = kept.replace('"lr":', '"lr":null,"was":').replace(
        '"steps_per_second":', '"steps_per_second":null,"x":'
    )
    (ran.path / "events.jsonl").write_text(kept)
    events = run_directory.read_events(ran.path)[0]
    assert not [event for event in events if isinstance(event, Unread)]
    last = last_words(ran.path)
    assert isinstance(last.last, Finished)
    assert last.last.best is not None
    assert (last.last.best.value, last.trouble) == (None if "null" in field else 0.5, "")
    assert next(e for e in events if isinstance(e, CommandApplied)).after["lr"] is None
    assert recipe(ran.path).weights_sha256 == last.last.weights_sha256


def test_an_interrupt_after_damage_keeps_counting(copied: Ran) -> None:
    """seq goes on from what a damaged last line says of itself."""
    kept = lines(copied.path)
    number = damage(copied.path, lambda event: event["seq"] == len(kept) - 1, lambda line: line[:-3])
    again = live(go_on(copied), after={0: [Interrupt(signal="SIGTERM")]})
    after = [json.loads(line)["seq"] for line in lines(copied.path)[number:]]
    assert after == list(range(number, number + len(after)))
    assert told(again.path)[-1]["type"] == "interrupted"
