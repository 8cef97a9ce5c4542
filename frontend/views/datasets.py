"""All datasets that the user may see, and a drop zone for the next."""

from typing import Any

import streamlit as st

from backend.datasets.schemas import DatasetOut
from frontend import identity, permission, text
from frontend.pages import PageName, go
from frontend.project_filter import draw_project_filter
from frontend.state import state
from frontend.tables import clickable_table
from frontend.uploads import choose_project, drop_zone, send_dataset, show_upload_problem
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
    names = permission.project_names()
    if permission.may_write(identity.current_user()):
        _draw_upload()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        project_id = draw_project_filter(names)
        mine = st.toggle("Only mine", key="my_datasets", bind="query-params")
    datasets = identity.api().datasets(project_id=project_id, mine=mine, limit=MOST_DATASETS)
    if not datasets:
        _draw_empty(filtered=project_id is not None or mine)
        return
    _draw_table(datasets, names)


def _draw_upload() -> None:
    project_id = choose_project("datasets")
    file = drop_zone("datasets", "Drop a CSV file here")
    if file is not None:
        dataset = send_dataset(file, project_id=project_id)
        if dataset is not None:
            go(PageName.DATASET, id=dataset.id)
        st.rerun()
    show_upload_problem()


def _draw_empty(*, filtered: bool) -> None:
    if filtered:
        st.info("No dataset matches these filters.")
    elif permission.may_write(identity.current_user()):
        st.info("No datasets yet. Drop a CSV file above, and it is here.")
    else:
        st.info("No dataset is shared with you yet.")


def _draw_table(datasets: list[DatasetOut], names: dict[int, str]) -> None:
    ids = [dataset.id for dataset in datasets]
    state.selected_dataset = clickable_table(
        [_row(dataset, names) for dataset in datasets],
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
        access = permission.access_to(chosen.project_id)
        if access.may_edit and st.button("Fit this", key="fit_dataset"):
            go(PageName.NEW_FIT, dataset=chosen.id)
    permission.draw_why_not(access)


def _row(dataset: DatasetOut, names: dict[int, str]) -> dict[str, Any]:
    return {
        "No.": dataset.id,
        "Name": dataset.name,
        "Version": dataset.latest_version,
        "Rows": dataset.rows,
        "Columns": dataset.columns,
        "Size": text.size(dataset.bytes),
        "Warnings": len(dataset.warnings),
        "Project": names.get(dataset.project_id, ""),
        "By": dataset.created_by,
        "Added": text.ago(dataset.created_at),
    }
