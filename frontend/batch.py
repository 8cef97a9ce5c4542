"""A file of rows: its predictions as a file, with the first rows to look at."""

import csv
import io
from collections.abc import Iterator
from typing import IO, Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from backend.registry.schemas import ModelOut
from frontend import identity, text
from frontend.client import ApiError, Refused, SignedOut
from frontend.predictions import KEPT_SECONDS, new_file, predicted_files
from frontend.routes import PREFIX
from frontend.state import Batch, state
from frontend.try_it import choose_version

FILE_TYPES: Final = ("csv", "tsv", "txt")
PREVIEW_ROWS: Final = 20
# Not more than the csv module takes as one field.
PREVIEW_BYTES: Final = 128 * 1024
SHOWN_PROBLEMS: Final = 20
KEPT_MINUTES: Final = round(KEPT_SECONDS / 60)


def draw_batch(model: ModelOut) -> None:
    """The tab."""
    version = choose_version(model, key="batch")
    st.markdown(
        "Drop a CSV file with the model's inputs; it comes back with its predictions. "
        "Nothing of it is stored."
    )
    file = st.file_uploader(
        "Drop a CSV file here",
        type=list(FILE_TYPES),
        key=f"batch.{model.id}.{state.uploader_round}",
        label_visibility="collapsed",
    )
    if file is not None:
        _predict(model, version, file)
        # A fresh zone, so that the file's memory is freed.
        state.uploader_round += 1
        st.rerun()
    if state.batch_problem:
        st.error(state.batch_problem)
    batch = state.batch
    if batch is not None and batch.model_id == model.id:
        _draw_result(batch)


def _predict(model: ModelOut, version: int, file: UploadedFile) -> None:
    if state.batch is not None:
        predicted_files.discard(state.batch.token)
    state.batch, state.batch_problem = None, ""
    content = new_file()
    api = identity.models_api()
    try:
        with (
            st.spinner(f"Predicting for {text.plain(file.name)}, {text.size(file.size)} …"),
            api.predict_file(model.id, version, file.name, file) as pieces,
        ):
            _keep(content, pieces)
    except SignedOut:
        content.close()
        raise
    except ApiError as error:
        content.close()
        state.batch_problem = batch_problem(file.name, error)
        return
    preview, size = read_preview(content), content.seek(0, io.SEEK_END)
    stem = file.name.rpartition(".")[0] or file.name
    name = f"{stem}.predictions.csv"
    user = identity.current_user()
    token = predicted_files.add(content, name=name, user_id=user.id)
    state.batch = Batch(model.id, version, token, name, size, preview)


def _keep(content: IO[bytes], pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        content.write(piece)
    content.flush()


def read_preview(content: IO[bytes]) -> tuple[dict[str, str], ...]:
    """The first rows of a CSV file, read from its beginning only."""
    content.seek(0)
    head = content.read(PREVIEW_BYTES)
    rows = csv.DictReader(io.StringIO(head.decode("utf-8-sig", "replace"), newline=""))
    kept = [
        {str(name): str(value) for name, value in row.items()}
        for _, row in zip(range(PREVIEW_ROWS + 1), rows, strict=False)
    ]
    # The last one may have been cut where the reading ended.
    whole = len(head) < PREVIEW_BYTES or len(kept) > PREVIEW_ROWS
    return tuple(kept[:PREVIEW_ROWS] if whole else kept[:-1])


def batch_problem(file_name: str, error: ApiError) -> str:
    """What happened, what is safe and what to do, as Markdown."""
    name = text.plain(file_name)
    if not isinstance(error, Refused):
        return f"**{name}**: the server does not answer. Nothing was stored. Try again."
    problems = list(error.fields.values()) or [error.detail]
    listed = "\n".join(f"- {text.plain(problem)}" for problem in problems[:SHOWN_PROBLEMS])
    more = len(problems) - SHOWN_PROBLEMS
    rest = f"\n- … and {more} more" if more > 0 else ""
    return (
        f"**{name}** was not predicted:\n\n{listed}{rest}\n\n"
        "Nothing was stored. Correct the file and drop it again."
    )


def _draw_result(batch: Batch) -> None:
    with st.container(border=True, key="batch_result"):
        st.markdown(
            f"**{text.plain(batch.name)}** · by version {batch.version} · {text.size(batch.size)}"
        )
        st.link_button("Download", f"{PREFIX}/predictions/{batch.token}", type="primary")
        st.caption(f"Kept for {KEPT_MINUTES} minutes. The first rows:")
        st.dataframe(list(batch.preview), hide_index=True, alt="First rows with their predictions")
