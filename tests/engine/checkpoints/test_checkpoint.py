import hashlib
import resource
import signal
import struct
from pathlib import Path

import pytest
import torch
from torch import nn

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.common.errors import UserError


def state() -> checkpoint.State:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    return {
        "format": 1,
        "model": model.state_dict(),
        "betas": (0.9, 0.999),
        "none": None,
        "x": [1, True, "a"],
    }


def test_what_is_saved_is_loaded_and_a_plain_torch_load_reads_it(tmp_path: Path) -> None:
    saved = state()
    checkpoint.save(tmp_path, "last-b0-s1.pt", "last", saved)
    loaded = checkpoint.load(tmp_path / "last.pt")
    assert loaded["betas"] == [0.9, 0.999]
    assert loaded["x"] == [1, True, "a"]
    assert all(torch.equal(loaded["model"][key], value) for key, value in saved["model"].items())
    theirs = torch.load(tmp_path / "last.pt", weights_only=True)
    assert theirs["model"].keys() == saved["model"].keys()


def test_the_link_is_relative_so_that_a_copy_of_the_directory_opens(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", "x.pt", "last", state())
    (tmp_path / "a").rename(tmp_path / "b")
    assert checkpoint.load(tmp_path / "b" / "last.pt")["format"] == 1
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["last.pt", "x.pt"]


def test_the_one_before_is_kept(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, "one.pt", "last", state())
    checkpoint.save(tmp_path, "two.pt", "last", state())
    assert (tmp_path / "last.pt").resolve().name == "two.pt"
    assert checkpoint.load(tmp_path / "one.pt")["format"] == 1


def test_a_cut_or_altered_file_is_refused(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, "x.pt", "last", state())
    whole = path.read_bytes()
    for cut in (0, 1, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match="cut short"):
            checkpoint.load(path)
    for at in range(0, len(whole), len(whole) // 50):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(UserError, match=r"damaged|cut short"):
            checkpoint.load(path)


def test_missing_and_foreign_files_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        checkpoint.load(tmp_path / "none.pt")
    torch.save({"a": 1}, tmp_path / "theirs.pt")
    with pytest.raises(UserError, match="none of ours"):
        checkpoint.load(tmp_path / "theirs.pt")


def test_the_digest_is_over_key_dtype_sizes_and_little_endian_values() -> None:
    weights = {"b": torch.tensor([[1.0, 2.0]]), "a": torch.tensor(3, dtype=torch.int64)}
    expected = hashlib.sha256(
        b"a\0int64\0\0" + struct.pack("<q", 3) + b"b\0float32\x001,2\0" + struct.pack("<2f", 1.0, 2.0)
    )
    assert checkpoint.weights_sha256(weights) == expected.hexdigest()


def test_the_digest_does_not_see_the_memory_format() -> None:
    weight = torch.randn(4, 3, 2, 2)
    assert checkpoint.weights_sha256({"w": weight}) == checkpoint.weights_sha256(
        {"w": weight.to(memory_format=torch.channels_last)}
    )
    half = torch.randn(3).bfloat16()
    assert checkpoint.weights_sha256({"w": half}) != checkpoint.weights_sha256({"w": half.float()})


def test_copies_share_nothing_and_reuse_kept_tensors() -> None:
    live = state()
    kept = checkpoint.copy_state(live)
    weight = live["model"]["0.weight"]
    weight += 1
    assert not torch.equal(kept["model"]["0.weight"], weight)
    pointer = kept["model"]["0.weight"].data_ptr()
    again = checkpoint.copy_state(live, kept)
    assert again["model"]["0.weight"].data_ptr() == pointer
    assert torch.equal(again["model"]["0.weight"], weight)


def test_room_for_a_state_is_what_it_is_copied_into():
    saved = {**state(), "nested": [{"x": torch.arange(3)}]}
    room = checkpoint.room_for(saved)
    copied = checkpoint.copy_state(saved, room)
    assert copied["model"].keys() == saved["model"].keys()
    for key, value in saved["model"].items():
        assert torch.equal(copied["model"][key], value)
        assert copied["model"][key].data_ptr() == room["model"][key].data_ptr() != value.data_ptr()
    assert copied["nested"][0]["x"] is room["nested"][0]["x"]
    assert copied["none"] is None
    assert copied["x"] == [1, True, "a"]


def test_a_disk_that_refuses_leaves_no_file(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, "one.pt", "last", state())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError, match="File too large"):
            checkpoint.save(tmp_path, "two.pt", "last", state())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pt", "one.pt"]
    assert checkpoint.load(tmp_path / "last.pt")["format"] == 1
