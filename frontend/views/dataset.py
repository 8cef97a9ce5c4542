"""One dataset: what is in it, what looks suspicious, how it came to be, and who used it."""

from collections.abc import Callable

import streamlit as st

from backend.datasets.profile_schemas import ProfileOut
from backend.datasets.schemas import DatasetOut
from frontend import identity, permission, queries, text
from frontend.address import draw_tabs
from frontend.client import NotThere
from frontend.dataset_content import draw_content
from frontend.dataset_deletion import draw_deletion
from frontend.dataset_downloads import draw_downloads
from frontend.dataset_profile import draw_profile
from frontend.dataset_progress import draw_progress
from frontend.dataset_recipe import draw_recipe
from frontend.dataset_trash import draw_in_trash
from frontend.dataset_uses import draw_uses
from frontend.dataset_versions import draw_versions
from frontend.members import draw_member_table
from frontend.moving import Movable, dataset_item, draw_move
from frontend.pages import PageName, go, link, number_parameter
from frontend.permission import Access
from frontend.project_filter import draw_project_line
from frontend.share import draw_share
from frontend.state import state
from frontend.widgets import not_there, page_title


def draw() -> None:
    """The page; `?id=7&v=3` names the dataset and its version, `?tab=Recipe` what is shown."""
    dataset_id = number_parameter("id")
    if dataset_id is None:
        page_title("Dataset")
        st.info("Which one? The datasets are in the list.")
        link(PageName.DATASETS, "Datasets")
        return
    api = identity.datasets_api()
    try:
        dataset = api.dataset(dataset_id)
        version = number_parameter("v") or dataset.latest_version
        if version > dataset.latest_version:
            _draw_missing_version(dataset, version)
            return
        profile = queries.profile(api, dataset_id, version)
        access = permission.access_to(dataset.project_id)
    except NotThere:
        page_title(f"Dataset {dataset_id}")
        if not draw_in_trash(dataset_id):
            not_there("dataset", dataset_id)
        return
    _draw_header(dataset, version, profile, access)
    _draw_tabs(dataset, version, profile, access)


def _draw_missing_version(dataset: DatasetOut, version: int) -> None:
    page_title(text.plain(dataset.name))
    latest = dataset.latest_version
    known = "version 1 only" if latest == 1 else f"1 to {latest}"
    st.error(f"Dataset {dataset.id} has no version {version}; it has {known}.")
    link(PageName.DATASET, f"To version {latest}, the latest", id=dataset.id)


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
        draw_downloads(dataset, version)
        draw_deletion(dataset, access)
    if version != dataset.latest_version:
        link(PageName.DATASET, f"To version {dataset.latest_version}, the latest", id=dataset.id)
    draw_progress(dataset.id, version, profile)
    _draw_first_warning(dataset, version, profile)


def _draw_first_warning(dataset: DatasetOut, version: int, profile: ProfileOut) -> None:
    """Warnings are those of the version, as in the lists; the statistics add remarks."""
    warnings = dataset.warnings
    if version != dataset.latest_version:
        warnings = identity.datasets_api().version(dataset.id, version).warnings
    remarks = len(set(profile.warnings) - set(warnings))
    more = [text.counted(len(warnings) - 1, "more warning")] if len(warnings) > 1 else []
    more += [text.counted(remarks, "remark")] if remarks else []
    others = f"{' and '.join(more)} in the tab Profile." if more else ""
    if warnings:
        st.warning(text.plain(warnings[0]) + (f"  \n{others}" if others else ""))
    elif others:
        st.caption(others)


def _draw_tabs(dataset: DatasetOut, version: int, profile: ProfileOut, access: Access) -> None:
    draws: dict[str, Callable[[], None]] = {
        "Preview": lambda: draw_content(dataset, version),
        "Profile": lambda: draw_profile(dataset, version, profile),
        "Recipe": lambda: draw_recipe(dataset, version, profile, access),
        "Versions": lambda: draw_versions(dataset, version, may_edit=access.may_edit),
        "Share": lambda: _draw_sharing(access, dataset_item(dataset.id, dataset.name)),
        "Used by": lambda: draw_uses(dataset),
    }
    draw_tabs(draws)


def _draw_sharing(access: Access, item: Movable) -> None:
    """Who sees it, and how somebody else comes to."""
    project = access.project
    st.markdown(
        f"Whoever is in the project **{text.plain(project.name)}** sees this dataset with all of "
        "its versions."
    )
    draw_member_table(identity.projects_api().members(project.id))
    with st.container(horizontal=True, key="sharing_actions"):
        draw_share(access, item)
        draw_move(access, item)
