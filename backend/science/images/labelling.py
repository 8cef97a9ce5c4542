"""The labels of images: a list in the order of their file names, or a folder for each class."""

import itertools
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from backend.science.images.entries import Entry
from backend.science.images.problem import ImageProblem

LABELS: Final = "labels.txt"
LONGEST_LABEL: Final = 200
EXAMPLE: Final = "cats/1.png"


@dataclass(frozen=True, slots=True)
class Labelled:
    """Images in the order of their names, with their labels.

    Attributes
    ----------
    by_folder
        Whether folders tell the labels; otherwise the order of the names does.
    """

    entries: Sequence[Entry]
    labels: Sequence[str]
    by_folder: bool


def label_images(files: Sequence[Entry], read: Callable[[Entry], bytes], limit: int) -> Labelled:
    """Which label each image has.

    Parameters
    ----------
    files
        Everything that the archive holds.
    read
        Gives the bytes of an entry.
    limit
        Most images.

    Raises
    ------
    ImageProblem
        There are no images or too many, no labels, or not as many labels as images.
    """
    lists = [entry for entry in files if PurePosixPath(entry.name).name == LABELS]
    if not lists:
        return _by_folder(files, limit)
    listed = min(lists, key=lambda entry: entry.name.count("/"))
    entries = _in_order(_beside(listed, files), limit)
    labels = _labels(read(listed), listed)
    if len(labels) != len(entries):
        raise ImageProblem(
            f"{LABELS} has {len(labels):,} lines, but there are {len(entries):,} images.",
            entry=listed.number,
        )
    return Labelled(entries, labels, by_folder=False)


def _in_order(entries: Sequence[Entry], limit: int) -> list[Entry]:
    if not entries:
        raise ImageProblem("The archive has no images.")
    if len(entries) > limit:
        raise ImageProblem(f"{len(entries):,} images, at most {limit:,}.")
    return sorted(entries, key=lambda entry: entry.name)


def _beside(listed: Entry, files: Sequence[Entry]) -> list[Entry]:
    """The files below the folder of the labels, with their paths from there."""
    folder = listed.name.removesuffix(LABELS)
    found: list[Entry] = []
    for entry in files:
        if entry is listed:
            continue
        if not entry.name.startswith(folder):
            raise ImageProblem(
                f"{entry.name} is not in the folder of {LABELS}.", entry=entry.number
            )
        found.append(Entry(entry.number, entry.name.removeprefix(folder), entry.info))
    return found


def _by_folder(files: Sequence[Entry], limit: int) -> Labelled:
    paths = [PurePosixPath(entry.name).parts for entry in files]
    # Folders around all classes say nothing.
    around = 0
    while (
        paths and min(map(len, paths)) > around + 2 and len({path[around] for path in paths}) == 1
    ):
        around += 1
    found: list[Entry] = []
    for entry, path in zip(files, paths, strict=True):
        if len(path) != around + 2:
            raise ImageProblem(
                f"The archive has no {LABELS} with one label per line in file-name order, and "
                f"{entry.name} is not in the folder of a class, as {EXAMPLE} would be.",
                entry=entry.number,
            )
        if problem := _label_problem(_clean(path[around])):
            raise ImageProblem(f"{entry.name}: {problem}.", entry=entry.number)
        found.append(Entry(entry.number, "/".join(path[around:]), entry.info))
    if not found:
        raise ImageProblem(
            f"The archive has no {LABELS} with one label per line in file-name order, and no "
            "folders of classes."
        )
    entries = _in_order(found, limit)
    labels = [_clean(PurePosixPath(entry.name).parts[0]) for entry in entries]
    return Labelled(entries, labels, by_folder=True)


def _clean(label: str) -> str:
    return unicodedata.normalize("NFC", label).strip()


def _labels(content: bytes, entry: Entry) -> list[str]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ImageProblem(
            f"{LABELS} is not UTF-8 (line {line:,}).", entry=entry.number, line=line
        ) from None
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1].strip() == "":
        lines.pop()
    labels = [_clean(line) for line in lines]
    for line, label in enumerate(labels, start=1):
        if problem := _label_problem(label):
            raise ImageProblem(
                f"{LABELS}, line {line:,}: {problem}.", entry=entry.number, line=line
            )
    return labels


def _label_problem(label: str) -> str | None:
    if not label:
        return "the label is empty"
    if len(label) > LONGEST_LABEL:
        return f"the label is longer than {LONGEST_LABEL} characters"
    if any(unicodedata.category(char) == "Cc" for char in label):
        return "the label has a control character"
    return None


def reads_otherwise(names: Sequence[str]) -> tuple[str, str] | None:
    """Two neighbours whose numbers are in the other order: 10.png stands before 2.png as text.

    Parameters
    ----------
    names
        File names in the order of their text.
    """
    for one, next_one in itertools.pairwise(names):
        if _by_numbers(one) > _by_numbers(next_one):
            return one, next_one
    return None


def _by_numbers(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return [
        (0, int(part), "") if part[0].isascii() and part[0].isdigit() else (1, 0, part)
        for part in parts
    ]
