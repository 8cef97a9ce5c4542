"""Sending a file to the API as soon as it is dropped."""

from datetime import UTC, datetime
from typing import Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from backend.datasets.schemas import DatasetOut
from frontend import identity, text
from frontend.client import ApiError, Refused, SignedOut
from frontend.state import Deed, state

FILE_TYPES: Final = ("csv", "tsv", "txt")
NOTHING_STORED: Final = "Nothing was stored."
CORRECT_IT: Final = "Correct the file and drop it again."
TOO_LARGE: Final = 413
UNAVAILABLE: Final = 503


def drop_zone(key: str, label: str) -> UploadedFile | None:
    """A drop zone; it is a fresh one after each upload, so that the file's memory is freed."""
    return st.file_uploader(
        label,
        type=list(FILE_TYPES),
        key=f"{key}.{state.uploader_round}",
        label_visibility="collapsed",
    )


def send_dataset(file: UploadedFile) -> DatasetOut | None:
    """Uploads a new dataset; None where it failed, with the reason in the state."""
    label = f"Reading {text.plain(file.name)}, {text.size(file.size)} …"
    dataset: DatasetOut | None = None
    with st.spinner(label):
        try:
            dataset = identity.api().upload(file.name, file, key=file.file_id)
        except SignedOut:
            raise
        except ApiError as error:
            state.upload_problem = upload_problem(file.name, error)
    state.uploader_round += 1
    if dataset is not None:
        state.upload_problem = ""
        state.remember(Deed("uploaded", dataset.id, dataset.name, datetime.now(UTC)))
    return dataset


def send_version(dataset: DatasetOut, file: UploadedFile) -> bool:
    """Uploads the next version; False where it failed, with the reason in the state."""
    done = False
    with st.spinner(f"Reading {text.plain(file.name)}, {text.size(file.size)} …"):
        try:
            version = identity.api().upload_version(dataset.id, file.name, file, key=file.file_id)
        except SignedOut:
            raise
        except ApiError as error:
            state.upload_problem = upload_problem(file.name, error)
        else:
            done = True
            state.upload_problem = ""
            state.notice = f"Version {version.version} is stored."
    state.uploader_round += 1
    return done


def upload_problem(file_name: str, error: ApiError) -> str:
    """What happened, what is safe and what to do, as Markdown."""
    name = text.plain(file_name)
    if not isinstance(error, Refused):
        return (
            f"**{name}**: the server does not answer. {NOTHING_STORED} "
            "Try again: a repeated upload is not stored twice."
        )
    advice = {
        TOO_LARGE: "Take fewer rows or columns.",
        UNAVAILABLE: "Try again in a moment.",
    }.get(error.status, CORRECT_IT)
    return f"**{name}**: {text.plain(error.detail)}  \n{NOTHING_STORED} {advice}"


def show_upload_problem() -> None:
    """The last upload's problem, near the drop zone."""
    if state.upload_problem:
        st.error(state.upload_problem)


def describe_upload(dataset: DatasetOut) -> str:
    """What came in, as Markdown."""
    shape = f"{text.counted(dataset.rows, 'row')}, {text.counted(dataset.columns, 'column')}"
    return f"**{text.plain(dataset.name)}** · {shape} · {text.size(dataset.bytes)}"
