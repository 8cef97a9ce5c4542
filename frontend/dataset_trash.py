"""Datasets in the trash: taken out again, or deleted for good."""

from functools import partial
from typing import Any, Final

import streamlit as st

from backend.datasets.schemas import DatasetOut
from frontend import identity, permission, text
from frontend.client import NotThere
from frontend.dataset_uses import dependents
from frontend.dialogs import close_dialog, confirmed, done, finish, is_open, open_dialog
from frontend.state import state
from frontend.tables import clickable_table, table_time
from frontend.widgets import errors_shown

COLUMNS: Final[dict[str, Any]] = {
    "No.": st.column_config.NumberColumn(width=60, format="%d"),
    "Name": st.column_config.TextColumn(width=200),
    "Rows": st.column_config.NumberColumn(format="localized"),
    "Deleted": st.column_config.DatetimeColumn(format="distance"),
}


def draw_trash(datasets: list[DatasetOut], names: dict[int, str]) -> None:
    """The list, and what can be done with one of it."""
    if not datasets:
        st.info("The trash is empty.")
        return
    st.caption(
        f"{text.counted(len(datasets), 'dataset')} in the trash. What is here takes room until it "
        "is deleted for good; fits and models that used it stay as they are."
    )
    by_id = {dataset.id: dataset for dataset in datasets}
    state.selected_trash = clickable_table(
        [_row(dataset, names) for dataset in datasets],
        ids=list(by_id),
        selected=state.selected_trash,
        key="trashed_datasets",
        columns=COLUMNS,
        alt="Table of deleted datasets; the buttons below act on the chosen number",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ids = list(by_id)
        default = state.selected_trash or ids[0]
        number = st.selectbox(
            "Dataset no.", ids, index=ids.index(default), key=f"trash_no.{default}", width=120
        )
        dataset = by_id[number]
        access = permission.access_to(dataset.project_id)
        wanted = access.may_edit and st.button("Restore", type="primary", key="restore")
        if wanted and done(partial(_restore, dataset.id)):
            st.rerun()
        if access.may_govern and st.button("Delete for good", key="purge"):
            open_dialog(f"purge.{number}")
    permission.draw_why_not(access)
    if is_open(f"purge.{number}"):
        _confirm_purge(dataset)


def _row(dataset: DatasetOut, names: dict[int, str]) -> dict[str, Any]:
    return {
        "No.": dataset.id,
        "Name": dataset.name,
        "Versions": dataset.latest_version,
        "Rows": dataset.rows,
        "Size": text.size(dataset.bytes),
        "By": dataset.created_by,
        "Project": names.get(dataset.project_id, ""),
        "Deleted": table_time(dataset.trashed_at),
    }


def draw_in_trash(dataset_id: int) -> bool:
    """Whether it lies there for the user, who is told so and may take it out."""
    try:
        identity.datasets_api().usage(dataset_id)  # answers editors, also of what is in the trash
    except NotThere:
        return False
    st.info(f"Dataset {dataset_id} is in the trash.")
    wanted = st.button("Restore", type="primary", key="restore")
    if wanted and done(partial(_restore, dataset_id)):
        st.rerun()
    return True


def _restore(dataset_id: int) -> str:
    dataset = identity.datasets_api().restore(dataset_id)
    return f"Dataset {dataset.id}, {dataset.name}, is back."


@st.dialog("Delete for good", on_dismiss=close_dialog)
def _confirm_purge(dataset: DatasetOut) -> None:
    with errors_shown("purge"):
        st.markdown(
            f"**{text.plain(dataset.name)}** goes with all of its versions. Nobody can bring "
            "it back."
        )
        try:
            usage = identity.datasets_api().usage(dataset.id)
        except NotThere:  # somebody else was faster
            st.info("It is not in the trash any more.")
            return
        st.markdown(dependents(usage))
        st.markdown(
            f"It frees {text.size(usage.frees_bytes)}; content that other datasets share stays."
        )
        if confirmed("Delete for good", key="purge_now"):
            finish(partial(_purge, dataset))


def _purge(dataset: DatasetOut) -> str:
    freed = identity.datasets_api().purge(dataset.id).freed_bytes
    state.selected_trash = None
    return f"Dataset {dataset.id}, {dataset.name}, is deleted: {text.size(freed)} are free."
