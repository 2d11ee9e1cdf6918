import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainconsole.engine.augment import FLIP, apply, draw
from trainconsole.engine.config import Augment

ALL = Augment(rotation=40, shift=0.2, shear=0.2, zoom=0.2, horizontal_flip=True)
NONE = Augment(rotation=0, shift=0, shear=0, zoom=0)


def ramp(n: int, c: int = 1, h: int = 8, w: int = 8) -> torch.Tensor:
    return torch.rand(n, c, h, w, generator=torch.Generator().manual_seed(1))


@given(st.integers(0, 2**63 - 1), st.integers(0, 1000), st.integers(1, 50), st.integers(0, 50))
def test_row_depends_on_seed_epoch_and_position_only(seed, epoch, size, more):
    assert torch.equal(draw(ALL, size, seed, epoch), draw(ALL, size + more, seed, epoch)[:size])


def test_rows_differ_by_seed_epoch_and_position_and_ignore_the_global_generators():
    rows = draw(ALL, 100, 3, 4)
    torch.manual_seed(99)
    assert torch.equal(rows, draw(ALL, 100, 3, 4))
    assert not torch.equal(rows, draw(ALL, 100, 4, 4))
    assert not torch.equal(rows, draw(ALL, 100, 3, 5))
    assert len(rows.unique(dim=0)) == 100
    assert rows.dtype == torch.float32


def test_ranges_and_one_range_leaves_the_others_numbers_alone():
    rows = draw(ALL, 20_000, 0, 0)
    limits = torch.tensor([40 * torch.pi / 180, 0.2, 0.2, 0.2, 0.2])
    assert (rows[:, :FLIP].abs() <= limits + 1e-6).all()
    assert torch.allclose(rows[:, :FLIP].abs().amax(0), limits, rtol=0.01)
    assert torch.equal(draw(Augment(rotation=0, shift=0.2), 20_000, 0, 0)[:, 1], rows[:, 1])


def test_strength_zero_is_the_identity():
    images = ramp(5)
    assert torch.equal(apply(images, draw(ALL, 5, 0, 0), 0.0), images)


def test_no_ranges_is_the_identity_through_the_grid():
    images = ramp(5, c=3, h=6, w=10)
    assert torch.allclose(apply(images, draw(NONE, 5, 0, 0), 1.0), images, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 33])
def test_an_image_comes_out_the_same_whatever_its_batch(size):
    images, rows = ramp(64, c=3, h=9, w=12), draw(ALL, 64, 5, 6)
    whole = apply(images, rows, 0.7)
    part = apply(images[5 : 5 + size], rows[5 : 5 + size], 0.7)
    assert torch.equal(part, whole[5 : 5 + size])


def test_flip_mirrors_the_width_with_half_the_strength_as_probability():
    images, rows = ramp(2000), draw(Augment(rotation=0, shift=0, zoom=0, horizontal_flip=True), 2000, 0, 0)
    for strength in (1.0, 0.4):
        changed = apply(images, rows, strength)
        flipped = [torch.allclose(a, b.flip(-1), atol=1e-5) for a, b in zip(changed, images, strict=True)]
        kept = [torch.allclose(a, b, atol=1e-5) for a, b in zip(changed, images, strict=True)]
        assert all(f != k for f, k in zip(flipped, kept, strict=True))
        assert abs(sum(flipped) / 2000 - strength / 2) < 0.04


def test_shift_moves_by_a_share_of_the_width_and_repeats_the_border():
    images, rows = ramp(1), torch.zeros(1, 6)
    rows[0, 1], rows[0, FLIP] = 0.25, 2.0
    moved = apply(images, rows, 1.0)
    assert torch.allclose(moved[..., 2:], images[..., :-2], atol=1e-5)
    assert torch.allclose(moved[..., :2], images[..., :1].expand(-1, -1, -1, 2), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(9, 9), (9, 15)])
def test_quarter_turn_keeps_proportions(height, width):
    """In the square about the centre, a rotation by 90 degrees is torch.rot90, also where width > height."""
    images, rows = ramp(1, h=height, w=width), torch.zeros(1, 6)
    rows[0, 0], rows[0, FLIP] = torch.pi / 2, 2.0
    left = (width - height) // 2
    inner = slice(left, left + height)
    turned = apply(images, rows, 1.0)[..., inner]
    square = images[..., inner]
    assert any(torch.allclose(turned, torch.rot90(square, k, (2, 3)), atol=1e-4) for k in (1, 3))


def test_zoom_enlarges():
    images, rows = torch.zeros(1, 1, 8, 8), torch.zeros(1, 6)
    images[..., 3:5, 3:5] = 1
    rows[0, 4], rows[0, FLIP] = 0.5, 2.0
    assert apply(images, rows, 1.0).sum() > images.sum()
    assert apply(images, -rows, 1.0).sum() < images.sum()


def test_rows_of_a_batch_are_not_all_turned_alike():
    images = ramp(1).expand(8, -1, -1, -1)
    changed = apply(images, draw(ALL, 8, 0, 0), 1.0)
    assert len(changed.flatten(1).unique(dim=0)) == 8
