"""All datasets that the user may see, and a drop zone for the next."""

from typing import Any

import streamlit as st

from backend.datasets.schemas import DatasetOut
from frontend import identity, queries, text
from frontend.pages import PageName, go
from frontend.state import state
from frontend.tables import clickable_table
from frontend.uploads import drop_zone, send_dataset, show_upload_problem
from frontend.widgets import page_title

MOST_DATASETS = 200
COLUMNS: dict[str, Any] = {
    "No.": st.column_config.NumberColumn(width=60, format="%d"),
    "Rows": st.column_config.NumberColumn(format="localized"),
    "Name": st.column_config.TextColumn(width=220),
}


def draw() -> None:
    """The page."""
    page_title(
        "Datasets",
        "Tables as CSV, images as a zip with labels.txt; every version stays as it was uploaded.",
    )
    if queries.may_write(identity.current_user()):
        file = drop_zone("datasets", "Drop a CSV file here")
        if file is not None:
            dataset = send_dataset(file)
            if dataset is not None:
                go(PageName.DATASET, id=dataset.id)
            st.rerun()
        show_upload_problem()
    mine = st.toggle("Only mine", key="my_datasets", bind="query-params")
    datasets = identity.api().datasets(mine=mine, limit=MOST_DATASETS)
    if not datasets:
        st.info("No datasets yet. Drop a CSV file above, and it is here.")
        return
    _draw_table(datasets)


def _draw_table(datasets: list[DatasetOut]) -> None:
    ids = [dataset.id for dataset in datasets]
    state.selected_dataset = clickable_table(
        [_row(dataset) for dataset in datasets],
        ids=ids,
        selected=state.selected_dataset,
        key="datasets",
        columns=COLUMNS,
        alt="Table of datasets; the button below opens the chosen number",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        default = state.selected_dataset or ids[0]
        number = st.selectbox(
            "Dataset no.",
            ids,
            index=ids.index(default),
            key=f"dataset_number.{default}",
            width=120,
        )
        chosen = datasets[ids.index(number)]
        if st.button("Open", type="primary", key="open_dataset"):
            go(PageName.DATASET, id=chosen.id)
        if queries.may_edit(
            identity.api(), identity.current_user(), chosen.project_id
        ) and st.button("Fit this", key="fit_dataset"):
            go(PageName.NEW_FIT, dataset=chosen.id)


def _row(dataset: DatasetOut) -> dict[str, Any]:
    return {
        "No.": dataset.id,
        "Name": dataset.name,
        "Version": dataset.latest_version,
        "Rows": dataset.rows,
        "Columns": dataset.columns,
        "Size": text.size(dataset.bytes),
        "Warnings": len(dataset.warnings),
        "By": dataset.created_by,
        "Added": text.ago(dataset.created_at),
    }
