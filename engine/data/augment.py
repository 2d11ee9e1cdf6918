"""Random changes to training images: one set of numbers an image, one affine grid a batch, on the device."""

import numpy as np
import torch
import torch.nn.functional as F
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor

from trainconsole.engine.config.data import Augment
from trainconsole.engine.data.draws import Draw

MORE = 4
"""Tells the generator of the later columns, so that those of before keep their numbers."""
ROTATION, SHIFT_X, SHIFT_Y, SHEAR, ZOOM, FLIP, ZOOM_X, ZOOM_Y, ANGLE, CROP_X, CROP_Y = range(11)
NEVER = 2.0

USUAL = Augment()
NOTHING = Augment(rotation=0, shift=0, zoom=0)


def draw(config: Augment, size: int, seed: int, epoch: int) -> Tensor:
    """The parameters of one epoch: float32 (size, 11) on the CPU, a row for each position.

    Columns: rotation in radians, shift as a share of width and of height, shear as a tangent, zoom as a
    relative change, each uniform in its range; a number in [0, 1) that decides the flip; zoom of width and of
    height, shear in radians, and two numbers in [0, 1) for the crop. A row depends on (seed, epoch, position)
    alone: all are always drawn, so that no range moves another's numbers.
    """
    drawn = np.random.default_rng([seed, epoch, Draw.AUGMENTATION]).random((size, 6), dtype=np.float32)
    more = np.random.default_rng([seed, epoch, Draw.AUGMENTATION, MORE]).random((size, 5), dtype=np.float32)
    width = config.shift if config.width_shift is None else config.width_shift
    height = config.shift if config.height_shift is None else config.height_shift
    drawn[:, :FLIP] = _ranged(
        drawn[:, :FLIP], np.radians(config.rotation), width, height, config.shear, config.zoom
    )
    more[:, :3] = _ranged(
        more[:, :3], config.width_zoom, config.height_zoom, np.radians(config.shear_degrees)
    )
    if not config.horizontal_flip:
        drawn[:, FLIP] = NEVER
    return torch.from_numpy(np.concatenate([drawn, more], axis=1))


def apply(
    images: Tensor, rows: Tensor, strength: float, config: Augment = USUAL, black: Tensor | None = None
) -> Tensor:
    """Images (N, C, H, W) changed by `rows` (N, 11) of draw(config); what comes in from outside repeats the
    border.

    Then config.crop pixels of `black` (float32 (C,) or (1,), None: 0) are put around each, and a piece of the
    old size is cut out, as torchvision's RandomCrop(size, padding=crop) does. `strength` in [0, 1] multiplies
    every range; a flip has probability strength / 2. 0 returns `images`.
    """
    if strength == 0:
        return images
    if _moves(config):
        height, width = images.shape[-2:]
        theta = _inverse(rows, strength, width / height).to(images.device, images.dtype)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        images = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return _cropped(images, rows, round(strength * config.crop), black)


def _moves(config: Augment) -> bool:
    """Whether an image is more than cropped: if not, its pixels go through no grid, which would blur them."""
    return replace(config, crop=0) != NOTHING


def _ranged(drawn: NDArray[np.float32], *ranges: float) -> NDArray[np.float32]:
    """Numbers in [0, 1) as ones in [-range, range), a range for each column."""
    found: NDArray[np.float32] = (2 * drawn - 1) * np.array(ranges, dtype=np.float32)
    return found


def _inverse(rows: Tensor, strength: float, aspect: float) -> Tensor:
    """From each place in the result to the place it is taken from: float64 (N, 2, 3), in [-1, 1] units.

    The image is sheared, zoomed, rotated, then shifted. In float64, on the CPU: cos() of a float32 may
    differ in the last bit with the place in a batch, and an image must not depend on its neighbours.
    """
    rows = rows.cpu().double()
    rotation, shift_x, shift_y, shear, zoom = (rows[:, :FLIP] * strength).unbind(1)
    cos, sin, scale = rotation.cos(), rotation.sin(), 1 / (1 + zoom)
    xx, xy = scale * (cos + shear * sin), scale * (sin - shear * cos) / aspect
    yx, yy = scale * -sin * aspect, scale * cos
    x0, y0 = -2 * (xx * shift_x + xy * shift_y), -2 * (yx * shift_x + yy * shift_y)
    mirror = 1 - 2 * (rows[:, FLIP] < 0.5 * strength).double()
    to_x, skew, to_y = _as_keras(rows, strength, aspect)
    xx, xy = xx * to_x + xy * skew, xy * to_y
    yx, yy = yx * to_x + yy * skew, yy * to_y
    return torch.stack([mirror * xx, mirror * xy, mirror * x0, yx, yy, y0], dim=1).view(-1, 2, 3)


def _as_keras(rows: Tensor, strength: float, aspect: float) -> tuple[Tensor, Tensor, Tensor]:
    """Zoom of each axis, then shear in degrees, as Keras' ImageDataGenerator makes them: from the place
    (x, y) in the result to (to_x * x, skew * x + to_y * y), whatever else is done coming after that."""
    zoom_x, zoom_y, angle = (rows[:, ZOOM_X:CROP_X] * strength).unbind(1)
    return angle.cos() * (1 + zoom_x), -angle.sin() * (1 + zoom_x) * aspect, 1 + zoom_y


def _cropped(images: Tensor, rows: Tensor, border: int, black: Tensor | None) -> Tensor:
    """Whole pixels, so that none is blurred; a border that the strength makes 0 changes nothing."""
    if not border:
        return images
    count, channels, height, width = images.shape
    fill = torch.zeros(1) if black is None else black
    padded = fill.to(images.device, images.dtype).view(1, -1, 1, 1)
    padded = padded.expand(count, channels, height + 2 * border, width + 2 * border).clone()
    padded[..., border : border + height, border : border + width] = images
    left, top = (
        (rows[:, CROP_X:] * (2 * border + 1)).long().clamp_(max=2 * border).to(images.device).unbind(1)
    )
    ys = top[:, None] + torch.arange(height, device=images.device)
    xs = left[:, None] + torch.arange(width, device=images.device)
    picked = torch.arange(count, device=images.device)[:, None, None]
    return padded[picked, :, ys[:, :, None], xs[:, None, :]].permute(0, 3, 1, 2)
