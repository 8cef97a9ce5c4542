"""One dataset: what is in it, and what looks suspicious."""

from typing import Any

import streamlit as st

from backend.datasets.profile_schemas import ProfileOut
from backend.datasets.schemas import DatasetOut, VersionOut
from frontend import identity, permission, queries, text
from frontend.cleaning import draw_cleaning
from frontend.client import NotThere
from frontend.moving import dataset_item, draw_move
from frontend.pages import PageName, go, link, number_parameter
from frontend.permission import Access
from frontend.project_filter import draw_project_line
from frontend.routes import PREFIX
from frontend.share import draw_share
from frontend.state import state
from frontend.uploads import drop_zone, send_version, show_upload_problem
from frontend.widgets import not_there, page_title, thumbnails

PREVIEW_ROWS = 1_000
SHOWN_IMAGES = 60


def draw() -> None:
    """The page; `?id=7&v=3` names the dataset and its version."""
    dataset_id = number_parameter("id")
    if dataset_id is None:
        page_title("Dataset")
        st.info("Which one? The datasets are in the list.")
        link(PageName.DATASETS, "Datasets")
        return
    api = identity.api()
    try:
        dataset = api.dataset(dataset_id)
        version = number_parameter("v") or dataset.latest_version
        profile = queries.profile(api, dataset_id, version)
        access = permission.access_to(dataset.project_id)
    except NotThere:
        page_title(f"Dataset {dataset_id}")
        not_there("dataset", dataset_id)
        return
    may_edit = access.may_edit
    _draw_header(dataset, version, profile, access)
    preview, columns, cleaning, versions = st.tabs(["Preview", "Columns", "Clean", "Versions"])
    with preview:
        if dataset.kind == "image":
            _draw_images(dataset_id, version)
        else:
            _draw_preview(dataset_id, version)
    with columns:
        _draw_columns(profile)
    with cleaning:
        if dataset.kind == "image":
            st.caption("Only tables are cleaned with steps.")
        elif not may_edit:
            st.caption(access.why_not)
        else:
            draw_cleaning(dataset, version, profile)
    with versions:
        _draw_versions(dataset, version, may_edit=may_edit)


def _draw_header(dataset: DatasetOut, version: int, profile: ProfileOut, access: Access) -> None:
    page_title(text.plain(dataset.name))
    shape = text.shape(dataset.kind, profile.rows, len(profile.columns))
    st.caption(
        f"Dataset {dataset.id} · version {version} of {dataset.latest_version} · {shape} · "
        f"by {text.plain(dataset.created_by)} · {text.ago(dataset.created_at)}"
    )
    draw_project_line(access)
    if dataset.description:
        st.text(dataset.description)
    if notice := state.pop("notice"):
        st.success(text.plain(notice))
    with st.container(horizontal=True, key="dataset_actions"):
        if access.may_edit and st.button("Fit this", type="primary"):
            go(PageName.NEW_FIT, dataset=dataset.id, v=version)
        file = f"{PREFIX}/datasets/{dataset.id}/{version}"
        st.link_button("Download", file)
        if dataset.kind == "table":
            st.link_button("CSV", f"{file}?format=csv", help="Safe to open in a spreadsheet")
            st.link_button("Parquet", f"{file}?format=parquet")
        item = dataset_item(dataset.id, dataset.name)
        draw_share(access, item)
        draw_move(access, item)
    for warning in profile.warnings:
        st.warning(text.plain(warning))
    if not profile.warnings:
        st.caption(f"Nothing suspicious in {text.counted(len(profile.columns), 'column')}.")


def _draw_preview(dataset_id: int, version: int) -> None:
    preview = identity.api().preview(dataset_id, version, PREVIEW_ROWS)
    values = {
        name: [row[position] for row in preview.rows]
        for position, name in enumerate(preview.columns)
    }
    st.dataframe(values, hide_index=True, alt=f"The first rows of dataset {dataset_id}")
    if preview.total_rows > len(preview.rows):
        shown = text.counted(len(preview.rows), "row")
        st.caption(f"The first {shown} of {preview.total_rows:,}.")


def _draw_images(dataset_id: int, version: int) -> None:
    images = identity.api().images(dataset_id, version, SHOWN_IMAGES)
    thumbnails(dataset_id, version, [(image.row, image.label) for image in images.items])
    if images.total > len(images.items):
        st.caption(f"The first {len(images.items)} of {images.total:,}.")


def _draw_columns(profile: ProfileOut) -> None:
    guess = profile.suggested_target.column if profile.suggested_target else None
    rows: list[dict[str, Any]] = [
        {
            "Column": column.name,
            "Type": column.type,
            "Role": column.role,
            "Missing": column.nulls / profile.rows if profile.rows else 0.0,
            "Different values": column.distinct,
            "In a fit": _use(column.name == guess, column.left_out_because),
        }
        for column in profile.columns
    ]
    config = {
        "Missing": st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="percent"),
        "Different values": st.column_config.NumberColumn(format="localized"),
    }
    st.dataframe(rows, hide_index=True, column_config=config, alt="The columns and their roles")


def _use(is_guess: bool, left_out_because: str | None) -> str:
    if is_guess:
        return "suggested target"
    return f"left out: {left_out_because}" if left_out_because else "feature"


def _draw_versions(dataset: DatasetOut, shown: int, *, may_edit: bool) -> None:
    for version in identity.api().versions(dataset.id):
        _draw_version(dataset, version, is_shown=version.version == shown)
    if not may_edit:
        return
    st.markdown("Drop a file to add the next version:")
    file = drop_zone("version", "Drop the next version here")
    if file is not None:
        if send_version(dataset, file):
            go(PageName.DATASET, id=dataset.id)
        st.rerun()
    show_upload_problem()


def _draw_version(dataset: DatasetOut, version: VersionOut, *, is_shown: bool) -> None:
    with st.container(border=True, key=f"version_{version.version}"):
        label = f"**Version {version.version}** · {text.plain(version.file_name)}"
        if is_shown:
            st.markdown(f"{label} · shown")
        else:
            link(PageName.DATASET, label, id=dataset.id, v=version.version)
        shape = text.shape(dataset.kind, version.rows, version.columns)
        st.caption(f"{shape} · {text.size(version.bytes)} · {text.ago(version.created_at)}")
        if version.recipe is not None:
            steps = ", ".join(str(step["kind"]).replace("_", " ") for step in version.recipe)
            st.caption(text.plain(f"Cleaned from version {version.parent_version}: {steps}"))
        st.caption(f"SHA-256 `{version.sha256}`")
