"""PNG and JPEG files to pixels: bounded before anything is decoded."""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from backend.science.images.problem import ImageProblem

Pixels = npt.NDArray[np.uint8]
FORMATS: Final = ("PNG", "JPEG")
MOST_PIXELS: Final = 25_000_000
GREY_MODES: Final = frozenset({"1", "L", "LA"})
COLOUR_MODES: Final = frozenset({"P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
# All that Pillow's readers raise for files that somebody damaged.
DAMAGE: Final = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError,
    struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImageShape:
    """Width and height in pixels; 1 channel for shades of grey, 3 for colours."""

    width: int
    height: int
    channels: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def bytes(self) -> int:
        """Bytes of the pixels of one such image."""
        return self.width * self.height * self.channels

    def __str__(self) -> str:
        return f"{self.width} x {self.height}"


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """The image with its header read and checked; its pixels are not decoded yet."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ImageProblem(
                    f"{image.width:,} x {image.height:,} pixels, at most {MOST_PIXELS:,} in all"
                )
            if image.mode not in GREY_MODES | COLOUR_MODES:
                raise ImageProblem("more than 8 bits per pixel and channel; save it with 8")
            yield image
    except ImageProblem:
        raise
    except UnidentifiedImageError:
        raise ImageProblem("neither a PNG nor a JPEG image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageProblem(f"too large; at most {MOST_PIXELS:,} pixels") from None
    except DAMAGE:
        raise ImageProblem("the image is damaged") from None


def shape_of(content: bytes) -> ImageShape:
    """The shape that the header tells.

    Parameters
    ----------
    content
        A PNG or JPEG file.

    Raises
    ------
    ImageProblem
        Another format, too many pixels, or damaged.
    """
    with _opened(content) as image:
        return ImageShape(image.width, image.height, 1 if image.mode in GREY_MODES else 3)


def decode(content: bytes, channels: int, size: tuple[int, int] | None = None) -> Pixels:
    """The pixels of an image.

    Parameters
    ----------
    content
        A PNG or JPEG file.
    channels
        1 for shades of grey, 3 for red, green and blue; what is transparent becomes white.
    size
        Width and height to scale to, bilinearly.

    Returns
    -------
    ndarray of uint8, shape (height, width, channels)

    Raises
    ------
    ImageProblem
        As for `shape_of`.
    """
    with _opened(content) as image:
        opaque = _on_white(image).convert("L" if channels == 1 else "RGB")
        if size is not None and size != opaque.size:
            opaque = opaque.resize(size, Image.Resampling.BILINEAR)
        return np.array(opaque, dtype=np.uint8).reshape(opaque.height, opaque.width, channels)


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)


def encode_png(pixels: npt.NDArray[Any]) -> bytes:
    """A PNG file.

    Parameters
    ----------
    pixels
        uint8, shape (height, width, channels).
    """
    flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    sink = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(flat)).save(sink, "PNG")
    return sink.getvalue()
