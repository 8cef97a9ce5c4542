"""Sending a file to the API as soon as it is dropped."""

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from backend.datasets.schemas import DatasetOut
from frontend import identity, permission, text
from frontend.client import ApiError, Refused, SignedOut, Unreachable
from frontend.state import Deed, state

FILE_TYPES: Final = ("csv", "tsv", "txt", "zip")
NOTHING_STORED: Final = "Nothing was stored."
CORRECT_IT: Final = "Correct the file and drop it again."
TOO_LARGE: Final = 413
CHOICE: Final = 2


def drop_zone(key: str, label: str) -> UploadedFile | None:
    """A drop zone; it is a fresh one after each upload, so that the file's memory is freed."""
    return st.file_uploader(
        label,
        type=list(FILE_TYPES),
        key=f"{key}.{state.uploader_round}",
        label_visibility="collapsed",
    )


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


def send_dataset(file: UploadedFile, *, project_id: int | None = None) -> DatasetOut | None:
    """Uploads a new dataset, into the personal project unless told otherwise.

    None where it failed, with the reason in the state.
    """
    label = f"Reading {text.plain(file.name)}, {text.size(file.size)} …"
    dataset: DatasetOut | None = None
    with st.spinner(label):
        try:
            key = _key(f"new in {project_id}", file)
            dataset = identity.api().upload(file.name, file, key=key, project_id=project_id)
        except SignedOut:
            raise
        except ApiError as error:
            _note_failure(file.name, error)
    state.uploader_round += 1
    if dataset is not None:
        state.upload_problem = state.upload_salt = ""
        state.remember(Deed("uploaded", dataset.id, dataset.name, datetime.now(UTC)))
    return dataset


def send_version(dataset: DatasetOut, file: UploadedFile) -> bool:
    """Uploads the next version; False where it failed, with the reason in the state."""
    done = False
    with st.spinner(f"Reading {text.plain(file.name)}, {text.size(file.size)} …"):
        try:
            key = _key(str(dataset.id), file)
            version = identity.api().upload_version(dataset.id, file.name, file, key=key)
        except SignedOut:
            raise
        except ApiError as error:
            _note_failure(file.name, error)
        else:
            done = True
            state.upload_problem = state.upload_salt = ""
            state.notice = f"Version {version.version} is stored."
    state.uploader_round += 1
    return done


def _key(target: str, file: UploadedFile) -> str:
    """The same for a file that is dropped again after no answer came, so it is stored once."""
    state.upload_salt = state.upload_salt or uuid.uuid4().hex
    content = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    parts = (state.upload_salt, identity.current_user().username, target, file.name, content)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def _note_failure(file_name: str, error: ApiError) -> None:
    if not isinstance(error, Unreachable):
        state.upload_salt = ""  # it was answered: the next try is another upload
    state.upload_problem = upload_problem(file_name, error)


def upload_problem(file_name: str, error: ApiError) -> str:
    """What happened, what is safe and what to do, as Markdown."""
    name = text.plain(file_name)
    if not isinstance(error, Refused):
        return (
            f"**{name}**: the server does not answer. {NOTHING_STORED} "
            "Try again: a repeated upload is not stored twice."
        )
    advice = "Take fewer rows or columns." if error.status == TOO_LARGE else CORRECT_IT
    return f"**{name}**: {text.plain(error.detail)}  \n{NOTHING_STORED} {advice}"


def show_upload_problem() -> None:
    """The last upload's problem, near the drop zone."""
    if state.upload_problem:
        st.error(state.upload_problem)


def describe_upload(dataset: DatasetOut) -> str:
    """What came in, as Markdown."""
    shape = text.shape(dataset.kind, dataset.rows, dataset.columns)
    return f"**{text.plain(dataset.name)}** · {shape} · {text.size(dataset.bytes)}"
