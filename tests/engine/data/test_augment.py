import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from trainconsole.engine.config.data import Augment
from trainconsole.engine.data import augment
from trainconsole.engine.data.augment import FLIP, apply, draw
from trainconsole.engine.data.draws import Draw

ALL = Augment(rotation=40, shift=0.2, shear=0.2, zoom=0.2, horizontal_flip=True)
NONE = Augment(rotation=0, shift=0, shear=0, zoom=0, width_shift=0)
KERAS = Augment(
    rotation=30, width_shift=0.2, height_shift=0.1, zoom=0, width_zoom=0.3, height_zoom=0.15, shear_degrees=20
)


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
    images, rows = ramp(1), torch.zeros(1, 11)
    rows[0, 1], rows[0, FLIP] = 0.25, 2.0
    moved = apply(images, rows, 1.0)
    assert torch.allclose(moved[..., 2:], images[..., :-2], atol=1e-5)
    assert torch.allclose(moved[..., :2], images[..., :1].expand(-1, -1, -1, 2), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(9, 9), (9, 15)])
def test_quarter_turn_keeps_proportions(height, width):
    """In the square about the centre, a rotation by 90 degrees is torch.rot90, also where width > height."""
    images, rows = ramp(1, h=height, w=width), torch.zeros(1, 11)
    rows[0, 0], rows[0, FLIP] = torch.pi / 2, 2.0
    left = (width - height) // 2
    inner = slice(left, left + height)
    turned = apply(images, rows, 1.0)[..., inner]
    square = images[..., inner]
    assert any(torch.allclose(turned, torch.rot90(square, k, (2, 3)), atol=1e-4) for k in (1, 3))


def test_zoom_enlarges():
    images, rows = torch.zeros(1, 1, 8, 8), torch.zeros(1, 11)
    images[..., 3:5, 3:5] = 1
    rows[0, 4], rows[0, FLIP] = 0.5, 2.0
    assert apply(images, rows, 1.0).sum() > images.sum()
    assert apply(images, -rows, 1.0).sum() < images.sum()


def test_rows_of_a_batch_are_not_all_turned_alike():
    images = ramp(1).expand(8, -1, -1, -1)
    changed = apply(images, draw(ALL, 8, 0, 0), 1.0)
    assert len(changed.flatten(1).unique(dim=0)) == 8


# --- as Keras and torchvision do it -----------------------------------------------------------------------


def as_keras(image: np.ndarray, row: dict[str, float]) -> np.ndarray:
    """apply_affine_transform of keras.preprocessing, in its own words: x is the row, y the column."""
    height, width = image.shape
    theta, shear = row["theta"], row["shear"]
    rotation = np.array([[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]])
    shift = np.array([[1, 0, row["tx"]], [0, 1, row["ty"]], [0, 0, 1]])
    sheared = np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
    zoom = np.diag([row["zx"], row["zy"], 1])
    o_x, o_y = height / 2 - 0.5, width / 2 - 0.5
    to_centre = np.array([[1, 0, o_x], [0, 1, o_y], [0, 0, 1]])
    back = np.array([[1, 0, -o_x], [0, 1, -o_y], [0, 0, 1]])
    matrix = to_centre @ rotation @ shift @ sheared @ zoom @ back
    return ndimage.affine_transform(image, matrix[:2, :2], matrix[:2, 2], order=1, mode="nearest")


@pytest.mark.parametrize(("height", "width"), [(12, 12), (10, 16)])
def test_every_range_of_keras_generator_comes_out_as_keras_does_it(height, width):
    rows = draw(KERAS, 20, 0, 0)
    images = ramp(20, h=height, w=width)
    found = apply(images, rows, 1.0, KERAS)
    for image, row, ours in zip(images, rows.double(), found, strict=True):
        drawn = {
            "theta": float(row[augment.ROTATION]),
            "tx": -float(row[augment.SHIFT_Y]) * height,
            "ty": -float(row[augment.SHIFT_X]) * width,
            "shear": float(row[augment.ANGLE]),
            "zx": 1 + float(row[augment.ZOOM_Y]),
            "zy": 1 + float(row[augment.ZOOM_X]),
        }
        assert np.abs(ours[0].numpy() - as_keras(image[0].numpy(), drawn)).max() < 1e-4


def test_ranges_of_each_axis_are_their_own():
    rows = draw(KERAS, 20_000, 0, 0)
    limits = {
        augment.SHIFT_X: 0.2,
        augment.SHIFT_Y: 0.1,
        augment.ZOOM_X: 0.3,
        augment.ZOOM_Y: 0.15,
        augment.ANGLE: 20 * torch.pi / 180,
        augment.SHEAR: 0,
        augment.ZOOM: 0,
    }
    for column, limit in limits.items():
        assert rows[:, column].abs().max() == pytest.approx(limit, rel=0.01)
    zooms = rows[:, [augment.ZOOM_X, augment.ZOOM_Y]].T
    assert abs(float(torch.corrcoef(zooms)[0, 1])) < 0.03
    both = draw(Augment(shift=0.3, height_shift=0.0), 1000, 0, 0)
    assert both[:, augment.SHIFT_X].abs().max() > 0.29
    assert not both[:, augment.SHIFT_Y].any()


CROP = Augment(rotation=0, shift=0, zoom=0, crop=2)


def test_a_crop_cuts_a_piece_of_the_old_size_out_of_a_black_border():
    images, rows = ramp(300, c=3, h=6, w=9), draw(CROP, 300, 0, 0)
    black = torch.tensor([-1.0, -2.0, -3.0])
    found = apply(images, rows, 1.0, CROP, black)
    padded = black.view(1, 3, 1, 1).expand(300, 3, 10, 13).clone()
    padded[..., 2:8, 2:11] = images
    places = []
    for image, wide in zip(found, padded, strict=True):
        at = [(y, x) for y in range(5) for x in range(5) if torch.equal(image, wide[:, y : y + 6, x : x + 9])]
        assert len(at) == 1
        places += at
    assert {(y, x) for y, x in places} == {(y, x) for y in range(5) for x in range(5)}


def test_a_crop_alone_changes_no_pixel_and_goes_by_the_strength():
    images, rows = ramp(50), draw(CROP, 50, 0, 0)
    assert torch.equal(apply(images, rows, 0.2, CROP), images)
    half = apply(images, rows, 0.5, CROP)
    assert all(
        any(
            torch.equal(new[..., 1:-1, 1:-1], old[..., y : y + 6, x : x + 6])
            for y in range(3)
            for x in range(3)
        )
        for new, old in zip(half, images, strict=True)
    )


@pytest.mark.parametrize("size", [1, 3, 17])
def test_a_cropped_and_turned_image_does_not_depend_on_its_batch(size):
    chosen = msgspec.structs.replace(KERAS, crop=3, horizontal_flip=True)
    images, rows = ramp(40, c=3, h=9, w=12), draw(chosen, 40, 5, 6)
    whole = apply(images, rows, 0.7, chosen)
    part = apply(images[5 : 5 + size], rows[5 : 5 + size], 0.7, chosen)
    assert torch.equal(part, whole[5 : 5 + size])


def test_the_numbers_of_the_first_columns_are_those_of_earlier_versions():
    """A run that was recorded before the later columns came is repeated as it was."""
    old = np.random.default_rng([5, 3, Draw.AUGMENTATION]).random((100, 6), dtype=np.float32)
    assert torch.equal(draw(ALL, 100, 5, 3)[:, FLIP], torch.from_numpy(old[:, 5]))
    assert torch.allclose(draw(ALL, 100, 5, 3)[:, 1], torch.from_numpy((2 * old[:, 1] - 1) * np.float32(0.2)))


def test_shear_is_given_in_one_way():
    with pytest.raises(ValueError, match="give one of them"):
        Augment(shear=0.1, shear_degrees=5)
