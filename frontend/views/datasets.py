"""All datasets that the user may see, a drop zone for the next, and the trash."""

from typing import Any, Final

import streamlit as st

from backend.datasets.schemas import DatasetOut
from frontend import identity, permission, text
from frontend.address import in_address
from frontend.dataset_trash import draw_trash
from frontend.datasets_client import DatasetQuery
from frontend.pages import PageName, go
from frontend.project_filter import draw_project_filter
from frontend.state import state
from frontend.tables import clickable_table, table_time
from frontend.uploads import FORMATS, choose_project, draw_sample, draw_upload
from frontend.widgets import page_title

MOST_DATASETS: Final = 200
KINDS: Final = ("table", "image")
SORTS: Final = {
    "-updated_at": "newest version first",
    "updated_at": "oldest version first",
    "-created_at": "newest first",
    "created_at": "oldest first",
    "name": "by name",
    "-rows": "most rows first",
    "rows": "fewest rows first",
    "-bytes": "largest first",
    "bytes": "smallest first",
}
COLUMNS: Final[dict[str, Any]] = {
    "No.": st.column_config.NumberColumn(width=60, format="%d"),
    "Name": st.column_config.TextColumn(width=180),
    "Rows": st.column_config.NumberColumn(format="localized"),
    "Changed": st.column_config.DatetimeColumn(format="distance"),
    **{
        name: st.column_config.NumberColumn(width=75, format="localized")
        for name in ("Version", "Columns", "Warnings", "Fits")
    },
}


def draw() -> None:
    """The page."""
    page_title("Datasets", "Tables and images; every version stays as it was made.")
    if notice := state.pop("notice"):
        st.success(text.plain(notice))
    names = permission.project_names()
    may_write = permission.may_write(identity.current_user())
    if may_write and st.query_params.get("trash") != "true":
        _draw_upload()
    query = _draw_filters(names, may_write=may_write)
    datasets = identity.datasets_api().datasets(query)
    if query.trashed:
        draw_trash(datasets, names)
    elif datasets:
        _draw_table(datasets, names)
    else:
        _draw_empty(filtered=query != DatasetQuery(sort=query.sort, limit=MOST_DATASETS))


def _draw_upload() -> None:
    project_id = choose_project("datasets")
    dataset = draw_upload("datasets", project_id=project_id)
    with st.container(horizontal=True, vertical_alignment="center", key="upload_formats"):
        st.caption(FORMATS, width="content")
        dataset = draw_sample("datasets", project_id=project_id) or dataset
    if dataset is not None:
        go(PageName.DATASET, id=dataset.id)


def _draw_filters(names: dict[int, str], *, may_write: bool) -> DatasetQuery:
    with st.container(horizontal=True, vertical_alignment="bottom", key="dataset_filters"):
        name = st.text_input(
            "Name", placeholder="contains …", **in_address("dataset_name", usual="")
        )
        kind = st.selectbox(
            "Kind", KINDS, index=None, placeholder="any", **in_address("kind", KINDS)
        )
        project_id = draw_project_filter(names)
        sort = st.selectbox(
            "Order",
            list(SORTS),
            format_func=lambda key: SORTS[key],
            **in_address("datasets_order", SORTS, usual=next(iter(SORTS))),
        )
    with st.container(horizontal=True, key="dataset_toggles"):
        mine = st.toggle("Only mine", **in_address("my_datasets", usual=False))
        trashed = may_write and st.toggle("Trash", **in_address("trash", usual=False))
    return DatasetQuery(
        project_id=project_id,
        name_contains=name.strip(),
        kind=kind,
        mine=mine,
        trashed=trashed,
        sort=sort,
        limit=MOST_DATASETS,
    )


def _draw_empty(*, filtered: bool) -> None:
    if filtered:
        st.info("No dataset matches these filters.")
    elif permission.may_write(identity.current_user()):
        st.info("No datasets yet. Drop a file above, or use the sample, and it is here.")
    else:
        st.info("No dataset is shared with you yet.")


def _draw_table(datasets: list[DatasetOut], names: dict[int, str]) -> None:
    shown = text.counted(len(datasets), "dataset")
    if len(datasets) == MOST_DATASETS:
        shown = f"The first {shown}; the others by filter"
    st.caption(shown)
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
        "Columns": dataset.columns if dataset.kind == "table" else None,
        "Warnings": len(dataset.warnings),
        "By": dataset.created_by,
        "Fits": dataset.fits,
        "Profile": dataset.profile_state,
        "Size": text.size(dataset.bytes),
        "Project": names.get(dataset.project_id, ""),
        "Changed": table_time(dataset.updated_at),
    }
