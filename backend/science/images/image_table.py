"""Labelled images as a table: pixels, label and name of each, in one Parquet file."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from backend.science.column_types import IMAGE, LABEL, ColumnDescription, ImageInput, TargetGuess
from backend.science.images.archive import ImageArchive, LabelledImage
from backend.science.images.labelling import reads_otherwise
from backend.science.images.pixels import ImageShape, Pixels, decode, shape_of
from backend.science.images.problem import ImageProblem

NAME: Final = "name"
# A network for larger ones needs more than two cores.
LARGEST_SIDE: Final = 256
SMALLEST_SIDE: Final = 8
# Pictures of one row group are read together when one of them is shown.
GROUP_ROWS: Final = 256
FEW_PER_CLASS: Final = 5
MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class ImageTable:
    """What was written, as an upload tells it.

    Attributes
    ----------
    content_digest
        sha256 of shape, pixels and labels in their order; names do not count.
    """

    rows: int
    columns: list[ColumnDescription]
    target: TargetGuess | None
    content_digest: str
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class FileSizes:
    """Bytes of the smallest and of the largest file of an archive."""

    smallest: int
    largest: int


def write_images(archive: ImageArchive, path: Path, max_bytes: int) -> ImageTable:
    """Decode the images of an archive into a Parquet file.

    Parameters
    ----------
    archive
        Checked archive of n images.
    path
        The file to write.
    max_bytes
        Bound on the pixels of all images together.

    Raises
    ------
    ImageProblem
        One is damaged, too large, or of another size than the first.
    """
    shape, sizes = _common_shape(archive)
    if shape.bytes * len(archive.images) > max_bytes:
        raise ImageProblem(f"The images have more than {max_bytes:,} bytes of pixels together.")
    schema = _schema(shape, sizes)
    digests: list[bytes] = []
    pixel_digests: list[bytes] = []
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _groups(archive, shape):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            digests += [_digest(shape, row[IMAGE], row[LABEL]) for row in group]
            pixel_digests += [hashlib.sha256(row[IMAGE]).digest() for row in group]
    labels = [image.label for image in archive.images]
    classes = Counter(labels)
    return ImageTable(
        rows=len(labels),
        columns=_columns(len(set(pixel_digests)), len(classes)),
        target=TargetGuess(LABEL, "the label of each image") if len(classes) > 1 else None,
        content_digest=hashlib.sha256(b"".join(digests)).hexdigest(),
        warnings=_warnings(archive, classes, digests, pixel_digests),
    )


def _schema(shape: ImageShape, sizes: FileSizes) -> pa.Schema:
    fields = [(IMAGE, pa.binary()), (LABEL, pa.string()), (NAME, pa.string())]
    numbers = {"width": shape.width, "height": shape.height, "channels": shape.channels}
    numbers |= {"smallest_bytes": sizes.smallest, "largest_bytes": sizes.largest}
    return pa.schema(fields, metadata={name: str(number) for name, number in numbers.items()})


def _common_shape(archive: ImageArchive) -> tuple[ImageShape, FileSizes]:
    """The one size of all images, colours where any has colours; how large their files are."""
    first: ImageShape | None = None
    channels = 1
    sizes: list[int] = []
    for image, content in archive.read_all():
        try:
            shape = shape_of(content)
        except ImageProblem as problem:
            raise _named(image, problem) from None
        first = first or shape
        if shape.size != first.size:
            raise ImageProblem(
                f"{image.name} has {shape} pixels, {archive.images[0].name} has {first}: "
                f"{_SIZE_RULE}",
                entry=image.number,
            )
        if not SMALLEST_SIDE <= min(shape.size) <= max(shape.size) <= LARGEST_SIDE:
            raise ImageProblem(f"{image.name} has {shape} pixels: {_SIZE_RULE}", entry=image.number)
        channels = max(channels, shape.channels)
        sizes.append(len(content))
    if first is None:
        raise ImageProblem("The archive has no images.")
    shape = ImageShape(first.width, first.height, channels)
    return shape, FileSizes(min(sizes), max(sizes))


_SIZE_RULE: Final = (
    f"images must have the same size, at least {SMALLEST_SIDE} x {SMALLEST_SIDE} "
    f"and at most {LARGEST_SIDE} x {LARGEST_SIDE} for now."
)


def _groups(archive: ImageArchive, shape: ImageShape) -> Iterator[list[dict[str, Any]]]:
    """Rows in groups, so that the memory for an archive does not grow with it."""
    group: list[dict[str, Any]] = []
    for image, content in archive.read_all():
        try:
            pixels = decode(content, shape.channels)
        except ImageProblem as problem:
            raise _named(image, problem) from None
        group.append({IMAGE: pixels.tobytes(), LABEL: image.label, NAME: image.name})
        if len(group) == GROUP_ROWS:
            yield group
            group = []
    if group:
        yield group


def _named(image: LabelledImage, problem: ImageProblem) -> ImageProblem:
    return ImageProblem(f"{image.name}: {problem}.", entry=image.number)


def _columns(different_images: int, classes: int) -> list[ColumnDescription]:
    varies = classes > 1
    return [
        ColumnDescription(IMAGE, "image", "image", 0, different_images, None),
        ColumnDescription(
            LABEL,
            "string",
            "categorical" if varies else "constant",
            0,
            classes,
            None if varies else "the same value in every row",
        ),
    ]


def _warnings(
    archive: ImageArchive,
    classes: Counter[str],
    digests: list[bytes],
    pixel_digests: list[bytes],
) -> list[str]:
    texts: list[str] = []
    rare = [name for name, count in classes.items() if count < FEW_PER_CLASS]
    if rare:
        names = ", ".join(sorted(rare)[:MOST_NAMED]) + (" …" if len(rare) > MOST_NAMED else "")
        texts.append(f"{LABEL}: fewer than {FEW_PER_CLASS} images of {names}")
    if len(classes) == 1:
        texts.append(f"{LABEL}: all images have the same label, so there is nothing to learn")
    if repeated := len(digests) - len(set(digests)):
        texts.append(f"{IMAGE}: {repeated:,} stand there already, with the same label")
    if torn := len(set(digests)) - len(set(pixel_digests)):
        texts.append(f"{IMAGE}: {torn:,} stand there already, with another label")
    ordered = [] if archive.by_folder else [image.name for image in archive.images]
    if (odd := reads_otherwise(ordered)) is not None:
        texts.append(
            f"{NAME}: labels go by file names in the order of their text, where {odd[0]} stands "
            f"before {odd[1]}; check that yours do"
        )
    return texts


def shape_in(table: pa.Table | pa.Schema) -> ImageShape:
    """The shape of the images of a table.

    Parameters
    ----------
    table
        Read from a file of `write_images`, or its schema.
    """
    schema = table if isinstance(table, pa.Schema) else table.schema
    kept = schema.metadata
    return ImageShape(int(kept[b"width"]), int(kept[b"height"]), int(kept[b"channels"]))


def sizes_in(schema: pa.Schema) -> FileSizes:
    """How large the files of the images were.

    Parameters
    ----------
    schema
        Of a file of `write_images`; one that an earlier version wrote tells the bytes of pixels.
    """
    kept, pixels = schema.metadata, shape_in(schema).bytes
    smallest, largest = (
        int(kept.get(key, pixels)) for key in (b"smallest_bytes", b"largest_bytes")
    )
    return FileSizes(smallest, largest)


def image_input(table: pa.Table) -> ImageInput:
    """What a network that learnt from a table expects.

    Parameters
    ----------
    table
        Read from a file of `write_images`.
    """
    shape = shape_in(table)
    return ImageInput(IMAGE, shape.width, shape.height, shape.channels)


def read_pixels(table: pa.Table) -> Pixels:
    """The pixels of n images.

    Returns
    -------
    ndarray of uint8, shape (n, height, width, channels)
    """
    shape = shape_in(table)
    values = table.column(IMAGE).to_pylist()
    flat: npt.NDArray[np.uint8] = np.frombuffer(b"".join(values), dtype=np.uint8)
    return flat.reshape(len(values), shape.height, shape.width, shape.channels)


def _digest(shape: ImageShape, pixels: bytes, label: str) -> bytes:
    head = f"{shape.width} {shape.height} {shape.channels}\0{label}\0".encode()
    return hashlib.sha256(head + pixels).digest()


def list_images(file: BinaryIO, limit: int) -> list[tuple[str, str]]:
    """Name and label of the first images.

    Parameters
    ----------
    file
        A Parquet file of `write_images`.
    """
    parquet = pq.ParquetFile(file)
    for batch in parquet.iter_batches(limit, columns=[NAME, LABEL], use_threads=False):
        names, labels = (batch.column(name).to_pylist() for name in (NAME, LABEL))
        return list(zip(names, labels, strict=True))
    return []


def read_image(file: BinaryIO, row: int) -> Pixels:
    """One image.

    Parameters
    ----------
    file
        A Parquet file of `write_images`.
    row
        Counted from 0, and there.

    Returns
    -------
    ndarray of uint8, shape (height, width, channels)
    """
    parquet = pq.ParquetFile(file)
    group = parquet.read_row_group(row // GROUP_ROWS, columns=[IMAGE], use_threads=False)
    shape = shape_in(parquet.schema_arrow)
    pixels = np.frombuffer(group.column(IMAGE)[row % GROUP_ROWS].as_py(), dtype=np.uint8)
    return pixels.reshape(shape.height, shape.width, shape.channels)
