"""One picture as numbers: every mode that Pillow has, upright, over white, resized. No torch."""

import importlib.util
import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

BYTES, GREY16, INTEGERS, FLOATS = "bytes", "16-bit grey", "32-bit integers", "32-bit floats"
BEST_KNOWN = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif")
ENDINGS = (*BEST_KNOWN, ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".tga", ".heic", ".heif")
WHITE_IS_ZERO = 262, 0
"""The TIFF tag, and its value, that says that 0 is white."""


class Unreadable(Exception):
    """A file that should be a picture is none; says why, without its name."""


@dataclass(frozen=True)
class Picture:
    """`pixels` (3, size, size): uint8 of `kind` bytes, else float32 as they are in the file. `low` and `high`
    are the extremes before resizing of what is not bytes. `clear`: some of it was transparent."""

    kind: str
    pixels: NDArray[Any]
    low: float = 0.0
    high: float = 255.0
    clear: bool = False


def endings() -> frozenset[str]:
    """Of the files that can be read here, in lower case with their dot: HEIC where pillow-heif is."""
    from PIL import Image

    # Large, but not too large for Pillow: nothing to print about.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    if importlib.util.find_spec("pillow_heif") is not None:
        importlib.import_module("pillow_heif").register_heif_opener()
    return frozenset(ENDINGS) & frozenset(Image.registered_extensions())


def reader() -> str:
    """What pictures are read with here: another version may read others, or read them otherwise."""
    import PIL

    return f"Pillow {PIL.__version__}"


def read(path: str, size: int) -> Picture:
    """The first frame at `path`, turned as its EXIF orientation says, `size` pixels square. Bilinear.

    What is transparent shows white. Grey of 16 bits, integers and floats keep their numbers, the same in
    all three channels. Raises Unreadable.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            form, white_is_zero = image.format, _white_is_zero(image)
            ImageOps.exif_transpose(image, in_place=True)
            if image.mode.startswith("I;16") or (image.mode == "I" and form == "PNG"):
                return _grey16(image, size, white_is_zero)
            if image.mode in ("I", "F"):
                return _numbers(np.asarray(image), size, INTEGERS if image.mode == "I" else FLOATS)
            colours, clear = _over_white(image)
            resized = colours.resize((size, size), Image.Resampling.BILINEAR)
    except MemoryError:
        raise
    except UnidentifiedImageError:
        raise Unreadable(
            "empty" if os.path.getsize(path) == 0 else "not a picture that can be read"
        ) from None
    # What a damaged file makes Pillow raise has no end: struct.error, SyntaxError, KeyError, zlib's own, ...
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreadable(reason.rstrip(".") or type(error).__name__) from None
    return Picture(BYTES, np.array(resized).transpose(2, 0, 1), clear=clear)


def _over_white(image: "Image") -> tuple["Image", bool]:
    """In RGB, and whether anything of it was transparent."""
    from PIL import Image

    if image.mode == "La":
        image = image.convert("LA")
    coloured = image.mode in ("1", "L", "P", "RGB") and "transparency" in image.info
    if not coloured and image.mode not in ("LA", "PA", "RGBA", "RGBa"):
        return image.convert("RGB"), False
    layers = image.convert("RGBA")
    if layers.getchannel("A").getextrema()[0] == 255:
        return layers.convert("RGB"), False
    return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB"), True


def _grey16(image: "Image", size: int, white_is_zero: bool) -> Picture:
    values = np.asarray(image).astype(np.float32)
    clear = image.info.get("transparency")
    if white_is_zero:
        values = 65535 - values
    elif isinstance(clear, int):
        values = np.where(values == clear, np.float32(65535), values)
    return _numbers(values, size, GREY16)


def _numbers(values: NDArray[Any], size: int, kind: str) -> Picture:
    from PIL import Image

    values = values.astype(np.float32)
    grey = np.array(Image.fromarray(values).resize((size, size), Image.Resampling.BILINEAR))
    return Picture(kind, np.stack([grey] * 3), float(values.min()), float(values.max()))


def _white_is_zero(image: "Image") -> bool:
    tag, value = WHITE_IS_ZERO
    return bool(getattr(image, "tag_v2", {}).get(tag) == value)
