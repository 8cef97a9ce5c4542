"""Deleting a dataset: what depends on it, and what it would free."""

from functools import partial

import streamlit as st

from backend.datasets.schemas import DatasetOut
from frontend import identity, text
from frontend.dataset_uses import dependents
from frontend.dialogs import close_dialog, confirmed, done, is_open, open_dialog
from frontend.pages import PageName, go
from frontend.permission import Access
from frontend.state import state
from frontend.widgets import errors_shown


def draw_deletion(dataset: DatasetOut, access: Access) -> None:
    """The button, for editors, and its dialog."""
    if not access.may_edit:
        return
    name = f"delete_dataset.{dataset.id}"
    if st.button("Delete", key="delete_dataset"):
        open_dialog(name)
    if is_open(name):
        _confirm(dataset)


@st.dialog("Delete", on_dismiss=close_dialog)
def _confirm(dataset: DatasetOut) -> None:
    with errors_shown("delete_dataset"):
        usage = identity.datasets_api().usage(dataset.id)
        st.markdown(f"**{text.plain(dataset.name)}**. {dependents(usage)}")
        if usage.champions:
            if st.button("Close", key="delete_dataset.close"):
                close_dialog()
                st.rerun()
            return
        versions = text.counted(dataset.latest_version, "version")
        st.markdown(
            f"It goes to the trash with {versions}, for every member of the project, and can be "
            f"restored from there. {text.size(usage.frees_bytes)} become free when it is deleted "
            "for good."
        )
        if confirmed("Move to the trash", key="delete_dataset_now") and done(
            partial(_trash, dataset)
        ):
            close_dialog()
            go(PageName.DATASETS)


def _trash(dataset: DatasetOut) -> str:
    identity.datasets_api().trash(dataset.id)
    state.selected_dataset = None
    return f"Dataset {dataset.id}, {dataset.name}, is in the trash."
