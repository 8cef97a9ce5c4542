"""Archives of images: labels from a list or from folders, counted sizes, and their profile."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from backend.datasets.profile_schemas import ImageProfile
from backend.science.images.archive import ArchiveLimits, open_archive
from backend.science.images.entries import LARGE_LOCATOR, LARGE_RECORD
from backend.science.images.image_profile import profile_images
from backend.science.images.image_table import ImageTable, read_pixels, write_images
from backend.science.images.problem import ImageProblem
from tests.science.images import image_zip, labels, pictures, zipped


def stored(folder: Path, content: bytes, **limits: int) -> tuple[Path, ImageTable]:
    archive, path = folder / "images.zip", folder / "images.parquet"
    archive.write_bytes(content)
    bounds = ArchiveLimits(**{"max_images": 1_000, "max_bytes": 10**8, **limits})
    with open_archive(archive, bounds) as images:
        return path, write_images(images, path, bounds.max_bytes)


def in_folders(around: str = "") -> dict[str, bytes | str]:
    files = zip(labels(12), pictures(12).items(), strict=True)
    return {f"{around}{label}/{name}": content for label, (name, content) in files}


@pytest.mark.parametrize("around", ["", "pets/", "my/pets/"])
def test_folders_are_classes(around: str, tmp_path: Path) -> None:
    files = in_folders(around) | {
        f"{around}cross/": "",
        f"{around}cross/Thumbs.db": b"x",
        f"{around}.DS_Store": b"x",
        f"__MACOSX/{around}cross/._000.png": b"x",
    }
    path, told = stored(tmp_path, zipped(files))
    table = pq.read_table(path)
    found = dict(zip(table["name"].to_pylist(), table["label"].to_pylist(), strict=True))
    kinds = {f"{label}/{name}": label for label, name in zip(labels(12), pictures(12), strict=True)}
    assert found == kinds
    assert told.target is not None
    assert told.warnings == []


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.png": b"", "cats/b.png": b""}, "no labels.txt .* a.png is not in the folder"),
        ({"x/cats/a.png": b"", "cats/b.png": b""}, "x/cats/a.png is not in the folder of a class"),
        ({"x/cats/a.png": b"", "y/cats/b.png": b""}, "x/cats/a.png is not in the folder"),
        ({f"{'x' * 201}/a.png": b""}, "the label is longer than 200"),
        ({".DS_Store": b""}, "no labels.txt .* no folders of classes"),
        ({"cats/a.png": b"hello", "dogs/b.png": b""}, "cats/a.png: neither a PNG nor a JPEG"),
        ({"cats/a.zip": zipped({}), "dogs/b.png": b""}, "cats/a.zip is an archive itself"),
    ],
)
def test_folders_that_say_no_class_are_refused(
    files: dict[str, bytes | str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ImageProblem, match=words):
        stored(tmp_path, zipped(files))


def large_format(entries: int) -> bytes:
    """An archive that tells small numbers, and then its true ones in the format for large ones."""
    content = image_zip(1)
    at = content.rindex(b"PK\x05\x06")
    record = LARGE_RECORD.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, 10**9, 0)
    locator = LARGE_LOCATOR.pack(b"PK\x06\x07", 0, at, 1)
    return content[:at] + record + locator + content[at:]


def blank_pages() -> bytes:
    """Images of which none is a bomb, but all of them together are one."""
    sink = io.BytesIO()
    Image.new("RGB", (256, 256)).save(sink, "PNG", compress_level=0)
    count = 600
    files = {f"{number}.png": sink.getvalue() for number in range(count)}
    return zipped({**files, "labels.txt": "\n".join(labels(count))})


@pytest.mark.parametrize(
    ("make", "limits", "words"),
    [
        (lambda: large_format(10**7), {}, "too many entries; at most 1,000 images"),
        (lambda: image_zip(30), {"max_images": 20}, "30 images, at most 20"),
        (lambda: zipped(in_folders()), {"max_images": 10}, "12 images, at most 10"),
        (lambda: image_zip(30, side=8), {"max_bytes": 2_000}, "holds more than 2,000 bytes"),
        (blank_pages, {"max_bytes": 10**9}, "more than 200 times its compressed size"),
        (
            lambda: zipped({f"{number}/": "" for number in range(2_200)}),
            {},
            "too many entries; at most 1,000 images",
        ),
    ],
)
def test_archive_beyond_its_bounds_is_refused(
    make: Callable[[], bytes], limits: dict[str, int], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ImageProblem, match=words):
        stored(tmp_path, make(), **limits)


def test_small_archive_in_the_large_format_is_read(tmp_path: Path) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in in_folders().items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(content if isinstance(content, bytes) else content.encode())
    assert stored(tmp_path, sink.getvalue())[1].rows == 12


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_profile_tells_classes_pixels_and_sizes(mode: str, tmp_path: Path) -> None:
    kinds = ["cross", "circle", "circle", "cross", "circle", "ring"]
    path, _ = stored(tmp_path, image_zip(6, names=kinds, mode=mode))
    profile = profile_images(path)
    pixels = read_pixels(pq.read_table(path)) / 255
    sizes = [len(content) for content in pictures(6, mode=mode).values()]
    assert list(profile["classes"].items()) == [("circle", 3), ("cross", 2), ("ring", 1)]
    assert profile["mean"] == pytest.approx(pixels.mean(), rel=1e-12)
    assert profile["sd"] == pytest.approx(pixels.std(), rel=1e-12)
    assert (profile["smallest_bytes"], profile["largest_bytes"]) == (min(sizes), max(sizes))
    shape = profile["width"], profile["height"], profile["channels"]
    assert shape == (12, 12, 1 if mode == "L" else 3)
    assert ImageProfile.model_validate(profile).model_dump() == profile
