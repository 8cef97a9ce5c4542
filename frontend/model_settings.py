"""Rename, describe and delete a model."""

from functools import partial
from typing import Final

import streamlit as st

from backend.registry.schemas import ModelOut
from frontend import identity, text
from frontend.dialogs import close_dialog, confirmed, done, is_open, open_dialog
from frontend.state import state
from frontend.widgets import errors_shown

LONGEST_NAME: Final = 200
LONGEST_DESCRIPTION: Final = 5_000


def draw_settings(model: ModelOut) -> None:
    """The buttons, for those who may write, and their dialogs."""
    change, delete = f"change.{model.id}", f"delete.{model.id}"
    if st.button("Rename or describe", key="change_model"):
        open_dialog(change)
    if st.button("Delete", key="delete_model"):
        open_dialog(delete)
    if is_open(change):
        _change(model)
    if is_open(delete):
        _delete(model)


@st.dialog("Rename or describe", on_dismiss=close_dialog)
def _change(model: ModelOut) -> None:
    with errors_shown("change_model"):
        key = f"change_model.{model.id}"
        name = st.text_input("Name", value=model.name, max_chars=LONGEST_NAME, key=f"{key}.name")
        description = st.text_area(
            "Description",
            value=model.description,
            max_chars=LONGEST_DESCRIPTION,
            key=f"{key}.description",
            placeholder="What it is for, and what it must not be used for",
        )
        st.caption(f"In MLflow it keeps its name, {text.plain(model.mlflow_name)}.")
        if not confirmed("Save", key=key):
            return
        if not name.strip():
            st.error("A model needs a name.")
            return
        # Only what differs: what somebody else changed meanwhile stays.
        known = {"name": model.name, "description": model.description}
        typed = {"name": name.strip(), "description": description.strip()}
        changes = {field: value for field, value in typed.items() if value != known[field]}
        if not changes or done(partial(_do_change, model.id, changes)):
            close_dialog()
            st.rerun()


def _do_change(model_id: int, changes: dict[str, str]) -> str:
    identity.models_api().change_model(model_id, changes)
    return "Saved."


@st.dialog("Delete", on_dismiss=close_dialog)
def _delete(model: ModelOut) -> None:
    with errors_shown("delete_model"):
        st.markdown(
            f"**{text.plain(model.name)}** goes to the trash and leaves MLflow's registry. "
            "Programs that ask it for predictions get a 404 from now on. Its fits, their runs in "
            "MLflow and its datasets stay."
        )
        if confirmed("Delete this model", key="delete_model_now") and done(
            partial(_do_delete, model)
        ):
            close_dialog()
            state.selected_model = None
            # Not to the list: a timer of this page may be on its way (see `views/fit.py`).
            st.rerun()


def _do_delete(model: ModelOut) -> str:
    identity.models_api().delete_model(model.id)
    return f"Model {model.id}, {model.name}, is in the trash."
