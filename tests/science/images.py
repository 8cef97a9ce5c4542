"""Small pictures for tests: circles and crosses, drawn with a seed."""

import io
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw


def picture(kind: str, seed: int, *, side: int = 12, mode: str = "L") -> bytes:
    """A PNG of a circle or a cross, somewhere near the middle."""
    generator = np.random.default_rng(seed)
    left, top = generator.integers(1, 4, size=2)
    right, bottom = side - generator.integers(1, 4, size=2)
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    light = int(generator.integers(150, 255))
    if kind == "circle":
        draw.ellipse((left, top, right, bottom), outline=light)
    else:
        draw.line((left, top, right, bottom), fill=light)
        draw.line((left, bottom, right, top), fill=light)
    return png(image.convert(mode))


def png(image: Image.Image) -> bytes:
    sink = io.BytesIO()
    image.save(sink, "PNG")
    return sink.getvalue()


def labels(count: int) -> list[str]:
    return ["circle" if number % 2 else "cross" for number in range(count)]


def pictures(count: int, *, side: int = 12, mode: str = "L", seed: int = 0) -> dict[str, bytes]:
    return {
        f"{number:03}.png": picture(label, seed + number, side=side, mode=mode)
        for number, label in enumerate(labels(count))
    }


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def image_zip(
    count: int = 40,
    *,
    names: Sequence[str] | None = None,
    folder: str = "",
    side: int = 12,
    mode: str = "L",
    seed: int = 0,
) -> bytes:
    """A zip of labelled pictures as people make them."""
    files: dict[str, bytes | str] = {
        f"{folder}{name}": content
        for name, content in pictures(count, side=side, mode=mode, seed=seed).items()
    }
    files[f"{folder}labels.txt"] = "\n".join(names or labels(count)) + "\n"
    return zipped(files)
