"""Right pixels for every mode of Pillow, by hand."""

import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainconsole.engine.data.pictures import decoding
from trainconsole.engine.data.pictures.decoding import BYTES, FLOATS, GREY16, INTEGERS, Unreadable

SIDE = 4


def one(mode: str, colour, **info) -> Image.Image:
    image = Image.new(mode, (SIDE, SIDE), colour)
    image.info.update(info)
    return image


def saved(image: Image.Image, path: Path, **how) -> str:
    image.save(path, **how)
    return os.fspath(path)


def grey(value: int, kind: str = "uint16") -> Image.Image:
    return Image.fromarray(np.full((SIDE, SIDE), value, kind))


RED = (200, 10, 20)
PALETTE = Image.new("RGB", (SIDE, SIDE), RED).quantize(2)

BY_HAND = {
    "1": (one("1", 1), "png", {}, (255, 255, 255)),
    "L": (one("L", 77), "png", {}, (77, 77, 77)),
    "L with a clear grey": (one("L", 77), "png", {"transparency": 77}, (255, 255, 255)),
    "LA": (Image.merge("LA", (one("L", 100), one("L", 51))), "png", {}, (224, 224, 224)),
    "P": (PALETTE, "png", {}, RED),
    "P with a clear colour": (PALETTE, "gif", {"transparency": PALETTE.getpixel((0, 0))}, (255, 255, 255)),
    "P with alphas": (PALETTE, "png", {"transparency": b"\x80" * 2}, (227, 132, 137)),
    "RGB": (one("RGB", RED), "png", {}, RED),
    "RGB with a clear colour": (one("RGB", RED), "png", {"transparency": RED}, (255, 255, 255)),
    "RGBA": (one("RGBA", (*RED, 51)), "png", {}, (244, 206, 208)),
    "RGBA, opaque": (one("RGBA", (*RED, 255)), "png", {}, RED),
    "RGBA, clear": (one("RGBA", (0, 0, 0, 0)), "webp", {"lossless": True}, (255, 255, 255)),
    "CMYK": (one("CMYK", (55, 245, 235, 0)), "tif", {}, RED),
    "YCbCr": (one("YCbCr", (128, 128, 128)), "tif", {}, (128, 128, 128)),
    "LAB": (one("LAB", (255, 128, 128)), "tif", {}, (255, 255, 255)),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_bytes_by_hand(tmp_path, name):
    image, ending, how, expected = BY_HAND[name]
    found = decoding.read(saved(image, tmp_path / f"x.{ending}", **how), 2)
    assert (found.kind, found.pixels.shape, found.pixels.dtype) == (BYTES, (3, 2, 2), np.uint8)
    assert np.abs(found.pixels.astype(int) - np.reshape(expected, (3, 1, 1))).max() <= 2
    assert found.clear == ("clear" in name or "alpha" in name or name in ("LA", "RGBA"))


@pytest.mark.parametrize("mode", ["HSV", "PA", "La", "RGBa", "RGBX", "I;16L"])
def test_modes_that_no_file_has_are_converted(mode):
    """Some plug-in may open one: none ends in an error."""
    image = Image.new(mode, (SIDE, SIDE))
    if mode.startswith("I"):
        assert decoding._grey16(image, 2, False).kind == GREY16
    else:
        assert decoding._over_white(image)[0].mode == "RGB"


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("kind", ["uint16", ">u2"])
def test_sixteen_bits_keep_their_numbers(tmp_path, ending, kind):
    found = decoding.read(saved(grey(40_001, kind), tmp_path / f"x.{ending}"), 2)
    assert (found.kind, found.low, found.high) == (GREY16, 40_001, 40_001)
    assert (found.pixels == 40_001).all()


def test_sixteen_bits_with_a_clear_grey_and_with_white_at_zero(tmp_path):
    clear = decoding.read(saved(grey(40_000), tmp_path / "x.png", transparency=40_000), 2)
    turned = decoding.read(saved(grey(40_000), tmp_path / "x.tif", tiffinfo={262: 0}), 2)
    assert clear.pixels[0, 0, 0] == 65_535
    assert turned.pixels[0, 0, 0] == 65_535 - 40_000


def test_integers_and_floats_keep_their_numbers(tmp_path):
    floats = np.linspace(0, 1, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
    found = decoding.read(saved(Image.fromarray(floats), tmp_path / "f.tif"), SIDE)
    assert (found.kind, found.low, found.high) == (FLOATS, 0.0, 1.0)
    assert np.array_equal(found.pixels, np.stack([floats] * 3))
    whole = decoding.read(saved(grey(70_000, "int32"), tmp_path / "i.tif"), 2)
    assert (whole.kind, whole.high) == (INTEGERS, 70_000)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_exif_orientation_is_undone(tmp_path, orientation, ending):
    """The upper left corner is white as one looks at it, whatever way the camera was held."""
    upright = Image.new("L", (32, 32))
    upright.paste(255, (0, 0, 16, 16))
    turns = [None, 0, 3, 1, 5, 2, 6, 4]  # what the camera did to it, as Pillow numbers it
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(turns[orientation - 1]))
    tags = Image.Exif()
    tags[0x0112] = orientation
    found = decoding.read(saved(stored, tmp_path / f"x.{ending}", exif=tags), 4).pixels[0]
    assert found[0, 0] > 200
    assert max(found[0, 3], found[3, 0], found[3, 3]) < 50


def test_a_gif_shows_its_first_frame(tmp_path):
    frames = [one("RGB", RED).quantize(4), one("RGB", (0, 255, 0)).quantize(4)]
    path = saved(frames[0], tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert np.abs(decoding.read(path, 1).pixels[:, 0, 0].astype(int) - RED).max() <= 2


def bomb(side: int = 20_000) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_what_cannot_be_read_says_why(tmp_path):
    whole = Path(saved(one("RGB", RED).resize((64, 64)), tmp_path / "whole.png")).read_bytes()
    damaged = {
        "empty": b"",
        "not a picture": b"no picture at all",
        "truncated": whole[:90],
        "400000000 pixels": bomb(),
        "not a picture that": b"II*\x00\x08\x00\x00\x00\xff\xff" + bytes(30),
    }
    for reason, content in damaged.items():
        path = tmp_path / "x.png"
        path.write_bytes(content)
        with pytest.raises(Unreadable, match=reason):
            decoding.read(os.fspath(path), 2)


def test_any_damage_is_a_sentence(tmp_path):
    """Bytes changed and cut off at random, in every format: a picture or Unreadable, never another error."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    path = tmp_path / "x"
    for form in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "TGA"):
        noise.save(path, format=form)
        whole = path.read_bytes()
        for _ in range(25):
            broken = bytearray(whole[: rng.integers(1, len(whole) + 1)])
            broken[rng.integers(len(broken))] ^= int(rng.integers(1, 256))
            path.write_bytes(broken)
            with suppress(Unreadable):
                assert decoding.read(os.fspath(path), 2).pixels.shape == (3, 2, 2)


def test_endings_are_those_that_can_be_read():
    there = decoding.endings()
    assert {".jpg", ".jpeg", ".png", ".gif", ".tif", ".webp", ".bmp", ".jfif"} <= there
    assert all(ending == ending.lower() for ending in there)
