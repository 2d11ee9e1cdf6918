"""Random changes to training images: one set of numbers an image, one affine grid a batch, on the device."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainconsole.engine.config import Augment

TAG = 2
ROTATION, SHIFT_X, SHIFT_Y, SHEAR, ZOOM, FLIP = range(6)
NEVER = 2.0


def draw(config: Augment, size: int, seed: int, epoch: int) -> Tensor:
    """The parameters of one epoch: float32 (size, 6) on the CPU, a row for each position.

    Columns: rotation in radians, shift as a share of width and of height, shear as a tangent, zoom as a
    relative change, each uniform in its range; then a number in [0, 1) that decides the flip. A row depends
    on (seed, epoch, position) alone: all six are always drawn, so that no range moves another's numbers.
    """
    drawn = np.random.default_rng([seed, epoch, TAG]).random((size, 6), dtype=np.float32)
    ranges = [np.radians(config.rotation), config.shift, config.shift, config.shear, config.zoom]
    drawn[:, :FLIP] = (2 * drawn[:, :FLIP] - 1) * np.array(ranges, dtype=np.float32)
    if not config.horizontal_flip:
        drawn[:, FLIP] = NEVER
    return torch.from_numpy(drawn)


def apply(images: Tensor, rows: Tensor, strength: float) -> Tensor:
    """Images (N, C, H, W) changed by `rows` (N, 6) of draw(); what comes in from outside repeats the border.

    `strength` in [0, 1] multiplies every range; a flip has probability strength / 2. 0 returns `images`.
    """
    if strength == 0:
        return images
    height, width = images.shape[-2:]
    theta = _inverse(rows, strength, width / height).to(images.device, images.dtype)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


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
    return torch.stack([mirror * xx, mirror * xy, mirror * x0, yx, yy, y0], dim=1).view(-1, 2, 3)
