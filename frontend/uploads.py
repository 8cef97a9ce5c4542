"""Sending a file to the API as soon as it is dropped."""

import hashlib
import io
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, Any, Final, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from backend.datasets.schemas import DatasetOut, ReadOptions, VersionOut
from frontend import identity, permission, text
from frontend.client import ApiError, SignedOut, Unreachable
from frontend.read_options import draw_read_options
from frontend.state import Deed, state
from frontend.upload_problems import draw_upload_problem, upload_problem

FILE_TYPES: Final = (
    *("csv", "tsv", "txt", "gz", "zst", "jsonl", "ndjson", "json"),
    *("parquet", "feather", "arrow", "xlsx", "zip"),
)
DROP_HERE: Final = "Drop a file here"
FORMATS: Final = (
    "CSV and the like (also gzip or zstd), Excel (.xlsx), Parquet, Arrow, Feather, JSON lines. "
    "Images come as a zip, with labels.txt or with a folder for each class."
)
CHOICE: Final = 2
# A bar that moves with every piece would cost more than the piece.
STEP: Final = 0.02
PIECE: Final = 1 << 20

Stored = TypeVar("Stored", DatasetOut, VersionOut)
Send = Callable[[IO[bytes], ReadOptions, str], Stored]


def choose_project(key: str) -> int | None:
    """Where the next upload goes; asked only of who has a choice, and remembered."""
    projects = permission.names_of(permission.own_writable())
    if len(projects) < CHOICE:
        return None
    numbers = list(projects)
    last = state.upload_project
    chosen: int = st.selectbox(
        "Into the project",
        numbers,
        index=numbers.index(last) if last in projects else 0,
        format_func=lambda number: projects[number],
        key=f"{key}.project",
        width=360,
    )
    state.upload_project = chosen
    return chosen


def draw_upload(place: str, *, project_id: int | None = None) -> DatasetOut | None:
    """A drop zone; answers the dataset in the run that made it.

    It goes into the personal project unless told otherwise.
    """

    def send(file: UploadedFile) -> Send[DatasetOut]:
        return lambda content, options, key: identity.datasets_api().upload(
            file.name, content, key=key, project_id=project_id, options=options
        )

    dataset = _draw_zone(place, f"new in {project_id}", DROP_HERE, send)
    if dataset is not None:
        state.remember(Deed("uploaded", dataset.id, dataset.name, datetime.now(UTC)))
    return dataset


def draw_version_upload(dataset: DatasetOut) -> VersionOut | None:
    """A drop zone for the next version of a dataset; answers it in the run that made it."""

    def send(file: UploadedFile) -> Send[VersionOut]:
        return lambda content, options, key: identity.datasets_api().upload_version(
            dataset.id, file.name, content, key=key, options=options
        )

    target = str(dataset.id)
    return _draw_zone(f"version.{target}", target, "Drop the next version here", send)


def _draw_zone(
    place: str, target: str, label: str, send: Callable[[UploadedFile], Send[Stored]]
) -> Stored | None:
    # A fresh zone after each success, so that the file's memory is freed.
    file = st.file_uploader(
        label,
        type=list(FILE_TYPES),
        key=f"{place}.{state.uploader_round}",
        label_visibility="collapsed",
    )
    problem = state.upload_problem
    if file is None or (problem is not None and problem.file_id != file.file_id):
        problem = None
    options = draw_read_options(place, proposed=problem.encoding if problem else "")
    if file is None:
        return None
    if problem is not None:
        draw_upload_problem(problem)
        if not st.button("Send it again", key=f"{place}.again", type="primary"):
            return None
    return _sent(file, options, target, send(file))


def _sent(
    file: UploadedFile, options: ReadOptions, target: str, send: Send[Stored]
) -> Stored | None:
    """What was stored; a failure leaves the file and the options where they are."""
    key = _key(target, file, options)
    with st.spinner(f"Reading {text.plain(file.name)}, {text.size(file.size)} …"):
        place = st.empty()
        try:
            watched = io.BufferedReader(_Watched(file, place), PIECE)
            stored = send(watched, options, key)
        except SignedOut:
            raise
        except ApiError as error:
            if not isinstance(error, Unreachable):
                state.upload_salt = ""  # it was answered: the next try is another upload
            state.upload_problem = upload_problem(file, options, error)
            state.proposed_encoding = state.upload_problem.encoding
            st.rerun()
    state.uploader_round += 1
    state.options_round += 1
    state.upload_problem, state.upload_salt = None, ""
    return stored


class _Watched(io.RawIOBase):
    """A file that shows how much of it was read."""

    def __init__(self, file: UploadedFile, place: DeltaGenerator) -> None:
        super().__init__()
        self._file, self._place, self._shown = file, place, 0.0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = self._file.readinto(buffer)
        share = self._file.tell() / max(self._file.size, 1)
        if share >= 1.0:
            self._place.empty()
        elif share - self._shown >= STEP:
            self._shown = share
            self._place.progress(share, f"Sending, {share:.0%}")
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)


def _key(target: str, file: UploadedFile, options: ReadOptions) -> str:
    content = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return repeatable(target, file.name, content, options.model_dump_json())


def repeatable(*parts: str) -> str:
    """A key that is the same when something is sent again after no answer came.

    So it is stored once; `state.upload_salt` is emptied when an answer came.
    """
    state.upload_salt = state.upload_salt or uuid.uuid4().hex
    named = (state.upload_salt, identity.current_user().username, *parts)
    return hashlib.sha256("\0".join(named).encode("utf-8", "replace")).hexdigest()


def draw_sample(place: str, *, project_id: int | None = None) -> DatasetOut | None:
    """The button that takes the sample; answers the dataset in the run that made it."""
    pressed = st.button(
        "Use the sample",
        key=f"{place}.sample",
        help="344 penguins that were measured on three islands; free of rights (CC0)",
    )
    if not pressed:
        return None
    key = repeatable("sample", str(project_id))
    dataset = identity.datasets_api().use_sample(key=key, project_id=project_id)
    state.upload_salt = ""
    state.remember(Deed("uploaded", dataset.id, dataset.name, datetime.now(UTC)))
    return dataset


def describe_upload(dataset: DatasetOut) -> str:
    """What came in, as Markdown."""
    shape = text.shape(dataset.kind, dataset.rows, dataset.columns)
    return f"**{text.plain(dataset.name)}** · {shape} · {text.size(dataset.bytes)}"
